"""Data that ships with fooldeap: MNIST, pre-trained classifiers, the defaults of an experiment."""
