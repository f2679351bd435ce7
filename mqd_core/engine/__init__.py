"""What happens next: the deterministic engine. Pure: no clock, no random, no I/O, no threads, no environment.

Everything that happens enters as an event; what follows leaves as records and effects. Read `engine` first.
"""
