"""Stock fitness functions."""
