"""Appends to a log until it is killed: the victim of test_log_kill.

Usage: python -m tests.unit.evidence.log_appender FOLDER SALT

The log's size is written to standard output after each append. The leaves depend on SALT, so that
every victim continues the log with entries of its own.
"""

import hashlib
import random
import sys
from pathlib import Path

from evidence import ED25519, TransparencyLog, VerifierKey, Witness, load_keys


class Batches:
    """Batches of leaf hashes; the n-th is a function of salt and n."""

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._rng = random.Random(salt)
        self._number = 0

    def __next__(self) -> list[bytes]:
        """Return the next batch."""
        self._number += 1
        size = self._rng.choice([1, 1, 2, 5, 40, 256, 300])
        text = f"{self._salt} {self._number}"
        return [hashlib.sha256(f"{text} {place}".encode()).digest() for place in range(size)]


def main(folder: Path, salt: str) -> None:
    """Append batches for ever."""
    keys = load_keys(folder / "keys")
    witness = Witness(folder / "witness", keys.witness, VerifierKey.of(keys.log, ED25519))
    log = TransparencyLog(folder / "log", keys.log, witness)
    batches = Batches(salt)
    while True:
        log.append(next(batches))
        sys.stdout.write(f"{log.size}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
