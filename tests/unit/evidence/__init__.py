"""Evidence: packages, their seal, the log and the verifier."""
