"""Journal and positions in one SQLite file; may import only `mqd_core.api` of the core."""
