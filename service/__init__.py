"""Settings, wiring, command line and embedded defaults."""
