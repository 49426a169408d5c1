"""Studies: compare variants of an experiment over targets and seeds, and compute the statistics."""
