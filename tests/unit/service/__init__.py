"""The service without its neighbours: settings, documents, supervision, doctor."""
