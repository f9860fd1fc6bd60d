"""Calibration from weighed passes, and whether it still holds."""
