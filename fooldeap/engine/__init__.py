"""Runs algorithms in lockstep. Images of many runs share one batch."""
