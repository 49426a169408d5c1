"""Data files of fooldeap: MNIST, trained classifiers, defaults, attacks of audits, and templates."""
