"""Sweeps: one experiment for each combination of values, ``fooldeap run cfg.yaml mutation.rate=0.01,0.1``."""
