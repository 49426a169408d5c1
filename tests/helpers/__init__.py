"""What several tests use: import it as ``from helpers.experiments import run``."""
