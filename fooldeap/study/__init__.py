"""Studies: variants of an experiment compared over targets and seeds, and the statistics of what came out."""
