"""The words every other package speaks: ids, units, events, findings, registry facts, errors, law tables."""
