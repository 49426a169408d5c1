"""Stock crossover operators."""
