"""Which plugins there are and what they say of themselves. May not know what a broker or a strategy does.

Imports nothing of mqd_core but its errors and the records, hook specifications and settings of `api`. In the order
of use: `kinds`, `discovery` (metadata only), `standing` (usable or not), `resolve` (names to entry points), `loader`
(imports the named ones), `local_file` (strategies without a distribution), `report` (for `mqd plugins`).
Nothing is imported here: `mqd plugins list` must not pay for stevedore, pluggy and pydantic.
"""
