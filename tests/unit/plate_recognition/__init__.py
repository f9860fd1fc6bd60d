"""Tests of plate recognition without other components."""
