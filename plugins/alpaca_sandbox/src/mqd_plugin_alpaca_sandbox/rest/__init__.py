"""The trading REST: version 2 of the API on loopback."""
