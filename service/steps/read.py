"""Step 3: the plates in a hit's captures, read once all are there or the deadline has passed.

The reading that is stored first stands, and the captures it names are the ones the package will hold: a
capture that arrives later cannot change what a second attempt would build.
"""

from collections.abc import Sequence
from datetime import datetime

from domain.completeness import Picture, profile, shows_motion
from domain.events import CaptureRole
from domain.plates import PlateReading
from plate_recognition import PlateEngine, read_passage
from store.blobs import BlobStore
from store.hits import Hit, StoredCapture


def is_due(hit: Hit, now: datetime) -> bool:
    """Say whether a hit need not wait any longer: its captures are there, or it has waited long enough."""
    there = {f"{capture.header.device}/{capture.meta.role.value}" for capture in hit.captures}
    there |= {f"/{capture.meta.role.value}" for capture in hit.captures}
    wanted = profile(hit.passage.context.site.completeness_profile)
    moving = shows_motion(wanted, pictures(hit.captures), clips=clips_among(hit.captures))
    complete = bool(hit.captures) and moving and set(hit.expected_captures) <= there
    return complete or now >= hit.deadline


def read_plates(engine: PlateEngine, blobs: BlobStore, captures: Sequence[StoredCapture]) -> PlateReading:
    """Return what stands on the plates; slow, to be run in a thread. Errors as `BlobStore.get`."""
    return read_passage(engine, [(capture.meta.role, blobs.get(capture.blob_sha256)) for capture in captures])


def pictures(captures: Sequence[StoredCapture]) -> tuple[Picture, ...]:
    """Return the images among captures, as the completeness gate counts them."""
    return tuple(
        Picture(capture.meta.role, capture.blob_sha256, capture.header.captured_at)
        for capture in captures
        if not is_clip(capture)
    )


def clips_among(captures: Sequence[StoredCapture]) -> int:
    """Return how many different clips there are among captures."""
    return len({capture.blob_sha256 for capture in captures if is_clip(capture)})


def is_clip(capture: StoredCapture) -> bool:
    """Say whether a capture is a clip: kept as it is, never read, never shown as an image."""
    return capture.meta.role is CaptureRole.CLIP


def captures_read(hit: Hit, reading: PlateReading) -> tuple[StoredCapture, ...]:
    """Return the hit's captures that the reading was made from."""
    named = {(one.role, one.image_sha256) for one in reading.captures}
    return tuple(capture for capture in hit.captures if (capture.meta.role, capture.blob_sha256) in named)
