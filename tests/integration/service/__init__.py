"""The service with everything real: database, broker, ingest, work and web as processes."""
