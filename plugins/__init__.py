"""The stock plugins of fooldeap, one plugin per file."""
