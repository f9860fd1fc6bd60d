"""Originals in; sealed package, log entry and verdict out."""
