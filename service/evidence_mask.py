"""The command `zhichao evidence mask`: copies of a package's images that spare other people."""

import json
from pathlib import Path
from typing import Any

import click

from domain.errors import ConfigurationError, EvidenceBroken
from domain.events import CaptureRole
from domain.ids import Sha256, sha256_of
from evidence import DerivedItem
from evidence.derived.masking import Points, Region, masked_copy
from evidence.sealed import sealed_document, sealed_event, sealed_payload
from service.command import explained
from service.settings import Settings, load_settings

LIST = "derived.json"


@click.command("mask")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@explained
def mask_command(path: Path, folder: Path) -> None:
    """Write masked copies of the images in the package PATH into the new FOLDER, for disclosure.

    Plates of other vehicles are masked where they are found, and in front images the part where the cab is
    (ZHICHAO_MASK_CAB_PERMILLE). No face is looked for. Look at every copy before it is given away. The
    package is not changed; derived.json in FOLDER names each copy with the original it was made of.
    """
    copies = masked_copies(path, load_settings())
    write_copies(folder, copies)
    click.echo(f"{len(copies)} masked copies in {folder}; look at each before it is given away")


def masked_copies(package: Path, settings: Settings) -> list[DerivedItem]:
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
    own, copies = _own_plates(package), []
    cab = Region(*(int(part) for part in settings.mask_cab_permille.split()))
    for image in _listed(package):
        data, sha256 = sealed_payload(package, image["path"]), Sha256(image["sha256"])
        if sha256_of(data) != sha256:
            raise EvidenceBroken(f"{image['path']} is not the image that the package names")
        corners = own.get(sha256)
        # A plate without corners is the whole image: a crop, which shows nobody else.
        plates = [] if corners == [] else finder.find(data, corners or [])
        copy = masked_copy(
            Path(image["path"]).stem + "-masked.jpg",
            data,
            sha256,
            plates=plates,
            regions=[cab] if image["role"] == CaptureRole.FRONT else [],
            own=corners or [],
        )
        if copy is None:
            raise EvidenceBroken(f"{image['path']} cannot be decoded; nobody can say what it shows")
        copies.append(copy)
    return copies


def write_copies(folder: Path, copies: list[DerivedItem]) -> None:
    """Write copies and their list into a new folder; ConfigurationError where there is one."""
    listed = [
        {"path": one.name, "sha256": sha256_of(one.data), "from": list(one.sources), "by": one.by}
        for one in copies
    ]
    try:
        folder.mkdir(mode=0o700, parents=True)  # pictures of people: only its owner reads it
        for one in copies:
            (folder / one.name).write_bytes(one.data)
        (folder / LIST).write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}; name a new folder") from error


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
