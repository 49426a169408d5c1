"""Stock executor plugins."""
