"""The API and the review web on a real database, sealed packages and a real browser."""
