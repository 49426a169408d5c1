"""Stock algorithms."""
