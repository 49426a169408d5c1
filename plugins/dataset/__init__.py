"""Stock dataset plugins."""
