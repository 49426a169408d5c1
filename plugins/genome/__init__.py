"""Stock genomes."""
