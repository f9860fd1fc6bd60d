"""Bit flips: every tag and seal file, and a sample of the payload; none goes unseen or gives a traceback."""

import random
from pathlib import Path

from evidence.package import TAG_FILES, TAG_MANIFEST
from evidence.seal import SEAL_FILES
from tests.counts import count
from tests.fixtures.evidence import Deployment

FULL = 5000
TAGS = (*TAG_FILES, TAG_MANIFEST, *(f"seal/{name}" for name in SEAL_FILES))


def places(package: Path, flips: int) -> list[tuple[Path, int]]:
    """Every byte of tag and seal files (when reduced, a seeded sample of them), the rest payload."""
    rng = random.Random(11)
    tags = [(package / name, at) for name in TAGS for at in range((package / name).stat().st_size)]
    payload = [
        (path, at)
        for path in sorted(package.glob("data/**/*"))
        if path.is_file()
        for at in range(path.stat().st_size)
    ]
    chosen = tags if flips >= FULL else rng.sample(tags, flips * 9 // 10)
    return chosen + rng.choices(payload, k=max(flips - len(chosen), flips // 10))


def test_bit_flip_anywhere_is_detected(sealed_world: Deployment, package: Path) -> None:
    rng = random.Random(12)
    for path, at in places(package, count(FULL, reduced=400)):
        original = path.read_bytes()
        flipped = bytearray(original)
        flipped[at] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        assert not sealed_world.verify(package).ok, f"{path.relative_to(package)} byte {at}"
        path.write_bytes(original)
    assert sealed_world.verify(package).ok


def test_every_tag_and_seal_file_is_among_the_flipped(package: Path) -> None:
    touched = {str(path.relative_to(package)) for path, _ in places(package, count(FULL, reduced=400))}
    assert set(TAGS) <= touched
