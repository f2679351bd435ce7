"""A whole desk under virtual time: the real loop, engine and store between a made-up market and a faulty broker.

Everything follows from one seed. Read `world` first: it lives through a plan, and `invariants` says what must hold.
May not decide anything for a desk, nor know how it decides.
"""
