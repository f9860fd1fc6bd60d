"""What the platform promises, shown on one whole running system with input from outside."""
