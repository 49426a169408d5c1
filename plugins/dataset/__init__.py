"""Stock datasets."""
