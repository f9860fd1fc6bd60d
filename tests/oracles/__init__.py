"""Slow, obvious re-implementations that fast code is held against."""
