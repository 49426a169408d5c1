"""Stock algorithm plugins."""
