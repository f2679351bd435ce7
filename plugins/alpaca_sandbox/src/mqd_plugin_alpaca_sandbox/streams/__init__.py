"""The WebSocket side: what clients are told without asking."""
