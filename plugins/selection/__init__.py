"""Stock selection plugins."""
