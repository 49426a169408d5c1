"""Networks that are trained on the images that fooled the ones before: ``fooldeap retrain``."""
