"""Ingest against real brokers."""
