"""Arrays in, weights with uncertainty and findings out; no I/O."""
