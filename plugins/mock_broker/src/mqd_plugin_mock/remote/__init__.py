"""The simulated account in a process of its own: what the desk's side and the venue's side say to each other."""
