"""A sealed hit becomes a case: states, leads, claims, reviews, penalty proposal."""
