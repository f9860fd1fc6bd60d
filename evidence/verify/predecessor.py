"""The predecessor: what a supplement follows, verified itself, and of the same passage.

A supplement may be sealed at any time, so that what bounds its time of capture is the first package, which
has to be stamped soon after. Without the packages before it a supplement is therefore not checked; and
the originals it adds are dated by its own time stamp alone, which the report says.
"""

import re
from collections.abc import Mapping

from domain.errors import EvidenceBroken, ServiceUnavailable
from domain.ids import sha256_of
from evidence.bag import folder_name
from evidence.package import TAG_MANIFEST
from evidence.parsing import Json
from evidence.verify.event import original_entries
from evidence.verify.inspection import Earlier, Inspection, known, some

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SETTLED = ("captured_at", "header", "record", "screening", "weighing")
"""What no supplement changes: it adds images, a reading made again, and an officer's note."""
_SAID = ("role", "device", "topic")
"""What an event says of an original beside its digest, and no supplement changes."""


def check_predecessor(found: Inspection) -> str:
    """It names the package it follows, which lies beside it, verifies, and is of the same passage."""
    event, info = known(found.event, "event"), known(found.info, "bag-info")
    named = event.get("predecessor")
    if not info.supplement:
        if named is not None:
            raise EvidenceBroken("a first package names a predecessor")
        return "a first package, it has none"
    if not isinstance(named, str) or not _DIGEST.fullmatch(named):
        raise EvidenceBroken("the supplement does not name its predecessor's tag manifest")
    beside, first = folder_name(info.event_id, info.supplement - 1), folder_name(info.event_id, 0)
    if found.earlier is None:
        raise ServiceUnavailable(
            f"it follows the package with tag manifest {named[:16]}..., and {beside} is not here; alone it "
            f"does not show when it was captured: lay {first} and all supplements beside it, verify again"
        )
    _check_earlier(found.earlier, beside, named)
    added = _check_same_passage(found.earlier.found, event, beside)
    adds = f"; it adds {added} originals, which its own time stamp alone dates" if added else ""
    return (
        f"supplement {info.supplement} of {first}; follows {beside}, which lies beside it and verifies{adds}"
    )


def _check_earlier(earlier: Earlier, beside: str, named: str) -> None:
    """The package beside must be the one that is named, and hold by the same trust and policy."""
    if sha256_of(earlier.found.read(TAG_MANIFEST)) != named:
        raise EvidenceBroken(f"{beside} beside it is not the package it follows")
    if earlier.report.broken:
        raise EvidenceBroken(f"{beside}, which it follows, does not hold: {', '.join(earlier.report.broken)}")
    if earlier.report.not_checked:
        failed = ", ".join(earlier.report.not_checked)
        raise ServiceUnavailable(f"{beside}, which it follows, could not be checked: {failed}; verify it too")


def _check_same_passage(earlier: Inspection, event: Json, beside: str) -> int:
    """Check that what is settled and every original are as in the package before; return how many are new."""
    before = known(earlier.event, f"the event of {beside}")
    if changed := _changed(before, event):
        raise EvidenceBroken(f"it is of another passage than {beside}, which it follows: {some(changed)}")
    kept, there = _originals(before), _originals(event)
    if gone := kept - there:
        digests = sorted({digest for digest, *_ in gone})
        raise EvidenceBroken(f"it lacks originals of {beside}, or calls them something else: {some(digests)}")
    return len({digest for digest, *_ in there} - {digest for digest, *_ in kept})


def _originals(event: Json) -> set[tuple[str, ...]]:
    """Return each original with what it is said to be; its place may differ where others came between."""
    return {
        (str(entry["sha256"]), kind, *(str(entry.get(name)) for name in _SAID))
        for kind, entry in original_entries(event)
    }


def _changed(before: Json, after: Json) -> list[str]:
    """Return what is settled before and not the same after; a later version may say more."""
    changed = []
    pairs = [(name, before[name], after.get(name, ...)) for name in _SETTLED if name in before]
    while pairs:  # a list of what is left, and no recursion: how deep it is nested was for others to choose
        name, was, now = pairs.pop()
        if isinstance(was, dict) and isinstance(now, dict):
            pairs += [(f"{name}.{key}", value, now.get(key, ...)) for key, value in was.items()]
        elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
            pairs += [(f"{name}.{place}", *pair) for place, pair in enumerate(zip(was, now, strict=True))]
        elif type(was) is not type(now) or isinstance(was, Mapping | list) or was != now:
            changed.append(name)
    return sorted(changed)
