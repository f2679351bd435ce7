"""What is allowed: the gate, its rules, the loss limits. Pure arithmetic on `domain`; may import nothing else."""
