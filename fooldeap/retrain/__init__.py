"""Retraining: a chain of networks, each trained on the images that fooled the earlier ones (``fooldeap retrain``)."""
