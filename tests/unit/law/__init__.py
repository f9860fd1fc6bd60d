"""Tests of the law tables."""
