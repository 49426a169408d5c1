"""Runs an experiment: its folder, its processes and its reporters."""
