"""How often a test repeats: reduced and seeded in `make test`, the promised counts in `make prove`."""

import os


def count(full: int, *, reduced: int) -> int:
    """Return `full` under `make prove`, `reduced` otherwise."""
    return full if os.environ.get("ZHICHAO_TEST_COUNTS") == "full" else reduced
