"""Tests of the web that need neither database nor browser."""
