"""Stock selection operators."""
