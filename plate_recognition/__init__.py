"""Image in, plate reading out."""
