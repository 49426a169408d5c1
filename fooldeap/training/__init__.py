"""Training a classifier from a YAML file."""
