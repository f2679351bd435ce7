"""Alpaca's trading service on this machine: an exchange that forgets nothing, its REST and its streams."""
