"""The way of a passage, one step a module: screen, store, read, seal, open."""
