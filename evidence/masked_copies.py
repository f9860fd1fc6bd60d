"""What lies in an export in place of a package's images: masked copies, and the list of them.

    masked/<name>     copies in which other people cannot be made out (`evidence.derived.masking`)
    masked.json       of which package they are; each with its SHA-256, the original's, and what was masked

Such a folder is no package. From its files alone nobody can tell whether a copy shows what its original
shows: that takes the package.
"""

from pathlib import Path
from typing import NamedTuple

from domain.errors import EvidenceBroken
from domain.ids import Sha256, sha256_of
from evidence.acts import is_digest
from evidence.derived.masking import Points, Region
from evidence.durable import read_regular
from evidence.package import MAX_TAG_BYTES, DerivedItem
from evidence.parsing import canonical_json, document_of

COPIES = "masked"
LIST = "masked.json"

_FORMAT = "zhichao-masked-copies/1"
_MAX_COPY_BYTES = 128 * 1024 * 1024


class MaskedCopy(NamedTuple):
    """A copy, and what was masked in it."""

    view: DerivedItem
    plates: tuple[Points, ...] = ()
    """Corners in pixels of the original."""
    regions: tuple[Region, ...] = ()


class CopiesList(NamedTuple):
    """What a list of copies says, and has been found to hold."""

    package: str
    """The folder's name of the package whose images they are of."""
    tagmanifest: Sha256
    digests: dict[str, Sha256]
    """Of the copies, by path in the export."""
    originals: frozenset[Sha256]


def write_copies(folder: Path, package: str, tagmanifest: Sha256, copies: list[MaskedCopy]) -> None:
    """Write copies and their list into a new folder that only its owner reads; raises `OSError`."""
    folder.mkdir(mode=0o700, parents=True)  # pictures of people
    (folder / COPIES).mkdir(mode=0o700)
    for copy in copies:
        (folder / COPIES / copy.view.name).write_bytes(copy.view.data)
    listed = {
        "format": _FORMAT,
        "package": package,
        "tagmanifest_sha256": tagmanifest,
        "copies": [_entry(copy) for copy in copies],
    }
    (folder / LIST).write_bytes(canonical_json(listed))


def _entry(copy: MaskedCopy) -> dict[str, object]:
    return {
        "path": f"{COPIES}/{copy.view.name}",
        "sha256": sha256_of(copy.view.data),
        "from": list(copy.view.sources),
        "by": copy.view.by,
        "masked": {
            "plates_px": [[list(point) for point in plate] for plate in copy.plates],
            "regions_permille": [list(region) for region in copy.regions],
        },
    }


def read_copies(folder: Path) -> CopiesList:
    """Return the list of copies in an export, each found to lie there as the list says.

    Raises
    ------
    EvidenceBroken
        The list is malformed, or other copies lie there.
    """
    document = document_of(read_regular(folder / LIST, max_bytes=MAX_TAG_BYTES), LIST)
    if document.get("format") != _FORMAT:
        raise EvidenceBroken(f"{LIST} is not of the format {_FORMAT}")
    try:
        digests = {one["path"]: Sha256(one["sha256"]) for one in document["copies"]}
        originals = [Sha256(digest) for one in document["copies"] for digest in one["from"]]
        package, tagmanifest = document["package"], Sha256(document["tagmanifest_sha256"])
    except (KeyError, TypeError):
        raise EvidenceBroken(f"{LIST} is malformed") from None
    texts = [package, *digests]
    if not all(map(is_digest, [*digests.values(), *originals, tagmanifest])) or not all(
        isinstance(one, str) for one in texts
    ):
        raise EvidenceBroken(f"{LIST} names something by what is no text or no digest")
    there = {f"{COPIES}/{one.name}": one for one in (folder / COPIES).iterdir()}
    if there.keys() != digests.keys() or len(digests) != len(document["copies"]):
        raise EvidenceBroken(f"{LIST} names other copies than lie in {COPIES}")
    for path, digest in digests.items():
        if sha256_of(read_regular(there[path], max_bytes=_MAX_COPY_BYTES)) != digest:
            raise EvidenceBroken(f"{path} is not the copy that {LIST} names")
    return CopiesList(package, tagmanifest, digests, frozenset(originals))
