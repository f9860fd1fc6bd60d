"""A sealed hit becomes a case: states, reviews, penalty proposal."""
