"""Stock genome plugins."""
