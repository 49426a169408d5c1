"""Reads a YAML file into a typed, validated experiment. Every mistake is reported in one line with its cure."""
