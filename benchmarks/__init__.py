"""One script a figure, each a ratio against a peer or bound of the same run."""
