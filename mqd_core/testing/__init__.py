"""The kit for plugin authors: small fakes, builders of bars and engines, and tests that a plugin should pass.

For tests only: nothing here may be imported by what trades. Import what you need from its module, for example
`from mqd_core.testing.engines import Workbench` and `from mqd_core.testing.bars import make_bars`.
"""
