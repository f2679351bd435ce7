"""A simulated broker and a synthetic market; may import only `mqd_core.api` of the core."""
