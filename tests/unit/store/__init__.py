"""Unit tests of `store`: what needs no database."""
