"""Stock mutation operators."""
