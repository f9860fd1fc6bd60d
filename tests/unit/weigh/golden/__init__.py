"""A vehicle made of whole numbers, and what it weighs under the algorithms' present names."""
