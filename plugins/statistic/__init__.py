"""Stock statistics of a generation."""
