"""Stock reporter plugins."""
