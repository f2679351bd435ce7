"""Where a concrete broker meets the engine: the composition root, runs and their folders, results.

In the order of use: `plugins` (names to checked records and settings), `assembly` (records to one system), `running`
(a run from start to result), `run_folder`, `result`, `summary`. May be imported by the command line only.
"""
