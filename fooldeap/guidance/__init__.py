"""What helps a newcomer on: what there is, what is missing, and something to begin with."""
