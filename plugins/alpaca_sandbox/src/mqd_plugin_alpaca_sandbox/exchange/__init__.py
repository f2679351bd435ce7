"""The exchange: orders, matching, account. Pure: no input or output, no clock, no chance but a seed."""
