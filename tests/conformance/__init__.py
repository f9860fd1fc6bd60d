"""What we write, checked with other people's tools and published vectors."""
