"""From weighed passes to a calibration, from a calibration to gains, and whether either still holds."""
