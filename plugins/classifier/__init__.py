"""Stock classifier plugins."""
