"""From genomes to results: algorithms driven in lockstep, their images answered many runs' in one batch."""
