"""Stock fitness plugins."""
