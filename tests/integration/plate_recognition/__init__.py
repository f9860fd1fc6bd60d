"""Tests of plate recognition on real photographs."""
