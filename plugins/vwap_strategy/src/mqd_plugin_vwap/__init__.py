"""Mean reversion to the volume-weighted average price; may import only `mqd_core.api` of the core."""
