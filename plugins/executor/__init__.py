"""Stock executors."""
