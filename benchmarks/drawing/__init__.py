"""Pictures of what the benchmarks measure, for the documents."""
