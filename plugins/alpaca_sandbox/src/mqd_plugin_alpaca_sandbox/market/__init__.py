"""Where the prices come from and how fast time passes."""
