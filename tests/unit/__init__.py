"""Without any component beyond the process."""
