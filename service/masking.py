"""A disclosure of masked copies of a package's images, which spare other people: an officer's act."""

from pathlib import Path
from typing import Any

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken
from domain.events import CaptureRole
from domain.ids import Sha256, sha256_of
from evidence.derived.masking import Points, Region, masked_copy
from evidence.masked_copies import COPIES, MaskedCopy, write_copies
from evidence.package import TAG_MANIFEST
from evidence.sealed import sealed_document, sealed_event, sealed_payload
from service.exporting import Desk, hand_over, handing_over, refuse_broken, sealed_of
from service.settings import Settings


async def disclose_masked(
    desk: Desk, name: str, folder: Path, *, recipient: str, reason: str, settings: Settings
) -> Act:
    """Put masked copies of a passage's images into a new folder, in the caller's transaction; return the act.

    They are made of the latest package or supplement, which holds all images so far. The act names the
    digest of that package's tag manifest and of each copy.

    Raises
    ------
    NotFound
        Nothing sealed has this id.
    RuleViolation
        The package does not verify.
    EvidenceBroken, InputRefused
        An image cannot be looked at: no copy is made of any.
    ConfigurationError
        The folder exists already, or cannot be written.
    """
    event, packages = await sealed_of(desk, name)
    last = packages[-1]
    source = desk.places.evidence / last.folder

    def fill() -> list[tuple[str, Sha256]]:
        refuse_broken(source, desk.trust)
        copies = masked_copies(source, settings)
        write_copies(folder, last.folder, last.tagmanifest, copies)
        named = [(f"{COPIES}/{one.view.name}", sha256_of(one.view.data)) for one in copies]
        return [(f"{last.folder}/{TAG_MANIFEST}", last.tagmanifest), *named]

    act = handing_over(desk, ActKind.DISCLOSURE, event, last.folder, recipient=recipient, reason=reason)
    return await hand_over(desk, act, event, folder, fill)


def masked_copies(package: Path, settings: Settings) -> list[MaskedCopy]:
    """Return a masked copy of every image of a package.

    Raises
    ------
    EvidenceBroken
        The package cannot be read, or an image in it is not the one it names.
    InputRefused
        An image cannot be decoded: nothing says what it shows, so no copy is made of any.
    """
    from plate_recognition.others import OtherPlates  # noqa: PLC0415 (the detector, not for --help)

    finder = OtherPlates(threads=settings.ocr_threads)
    own, copies = _own_plates(package), list[MaskedCopy]()
    cab = Region(*(int(part) for part in settings.mask_cab_permille.split()))
    for image in _listed(package):
        data, sha256 = sealed_payload(package, image["path"]), Sha256(image["sha256"])
        if sha256_of(data) != sha256:
            raise EvidenceBroken(f"{image['path']} is not the image that the package names")
        corners = own.get(sha256)
        # A plate without corners is the whole image: a crop, which shows nobody else.
        plates = [] if corners == [] else finder.find(data, corners or [])
        regions = [cab] if image["role"] == CaptureRole.FRONT else []
        view = masked_copy(
            Path(image["path"]).stem + "-masked.jpg",
            data,
            sha256,
            plates=plates,
            regions=regions,
            own=corners or [],
        )
        if view is None:
            raise EvidenceBroken(f"{image['path']} cannot be decoded; nobody can say what it shows")
        copies.append(MaskedCopy(view, tuple(plates), tuple(regions)))
    return copies


def _listed(package: Path) -> list[dict[str, str]]:
    """Return the images as the package lists them: path, digest and role, each a text."""
    try:
        images = sealed_event(package)["originals"]["images"]
        return [{name: str(one[name]) for name in ("path", "sha256", "role")} for one in images]
    except (KeyError, TypeError):
        raise EvidenceBroken(f"{package} lists no images as a package does; verify it first") from None


def _own_plates(package: Path) -> dict[Sha256, list[Points]]:
    """Return by image where its own plate is; nothing of images in which none was read."""
    found: dict[Sha256, list[Points]] = {}
    try:
        readings: list[dict[str, Any]] = sealed_document(package, "data/reading.json")["captures"]
        for one in readings:
            of_image = found.setdefault(Sha256(one["image_sha256"]), []) if one["text"] is not None else []
            if one["corners_px"] is not None:
                of_image.append(tuple((int(x), int(y)) for x, y in one["corners_px"]))
    except (KeyError, TypeError, ValueError):
        raise EvidenceBroken(f"{package} holds no reading as a package does; verify it first") from None
    return found
