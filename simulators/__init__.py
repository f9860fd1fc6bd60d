"""Simulated roadside stations, and an oracle that shares no code with the product."""
