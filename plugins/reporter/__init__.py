"""Stock reporters."""
