"""Tests of the case room, without a database."""
