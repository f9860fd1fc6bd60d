"""What was concluded under the algorithms' names, pinned: figures of many vehicles, and whole packages."""
