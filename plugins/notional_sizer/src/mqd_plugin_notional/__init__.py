"""Position sizes by notional value and risk per trade; may import only `mqd_core.api` of the core."""
