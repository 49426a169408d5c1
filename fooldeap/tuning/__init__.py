"""Automatic algorithm configuration: finds the parameters with which an experiment needs the fewest images."""
