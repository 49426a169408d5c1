"""The stock plugins of fooldeap, one operator a file."""
