"""Market data from local files; may import only `mqd_core.api` of the core."""
