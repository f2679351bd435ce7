"""Simulated broker and synthetic market; may import only `mqd_core.api` of the core."""
