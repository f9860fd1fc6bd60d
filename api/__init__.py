"""The JSON API and the review web."""
