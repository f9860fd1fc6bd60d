"""What an installation brings along when it is given no database and no broker."""
