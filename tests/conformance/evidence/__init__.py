"""Evidence packages under sha256sum, bagit.py, openssl and securesystemslib."""
