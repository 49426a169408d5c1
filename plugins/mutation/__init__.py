"""Stock mutation plugins."""
