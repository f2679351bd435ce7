"""Alpaca as a broker; may import only `mqd_core.api` of the core, and alpaca-py only when something is built."""
