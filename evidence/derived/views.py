"""All views of one package, from its images, the plates' places in them and the words."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeAlias

from domain.events import CaptureRole
from domain.ids import Sha256
from evidence.derived.caption import Caption, caption_lines
from evidence.derived.composite import MAX_TILES, Tile, compose, fitted, tile_size
from evidence.derived.crops import cut_plate
from evidence.derived.pictures import BY, decoded
from evidence.package import DerivedItem, ImageItem, placed_images

COMPOSITE = f"zhichao-composite/1 {BY}"
PLATE_CROP = f"zhichao-plate-crop/1 {BY}"

PlateCorners: TypeAlias = Mapping[tuple[CaptureRole, Sha256], tuple[tuple[int, int], ...]]
"""Corners of the plate in an image, by its role and digest."""

_ROLES = {
    CaptureRole.FRONT: "前部",
    CaptureRole.REAR: "尾部",
    CaptureRole.SIDE: "侧面",
    CaptureRole.PLATE: "号牌特写",
    CaptureRole.PANORAMA: "全景",
}


def derive_views(
    images: Sequence[ImageItem], plates: PlateCorners, caption: Caption, record: Sha256
) -> tuple[DerivedItem, ...]:
    """Return plate crops and the composite; slow (tens of milliseconds), to be run in a thread.

    Parameters
    ----------
    images
        The package's images; one that cannot be decoded gives a tile that says so, and no crop.
    record
        Digest of the weigh record or waveform that the caption's figures are from.
    """
    placed = placed_images(images)
    enough = tile_size(len(placed))
    crops, tiles = [], []
    for number, (path, item) in enumerate(placed):
        corners = plates.get((item.role, item.sha256))
        if number >= MAX_TILES and corners is None:
            tiles.append(Tile("", None))
            continue
        image = decoded(item.data, at_least=enough if corners is None else None)
        tiles.append(Tile(_label(path, item), None if image is None else fitted(image, enough)))
        crop = cut_plate(image, corners) if image is not None and corners is not None else None
        if crop is not None:
            name = f"{PurePosixPath(path).stem}-plate.png"
            crops.append(DerivedItem(name, crop, (item.sha256,), PLATE_CROP))
    sources = tuple(sorted({item.sha256 for _, item in placed[:MAX_TILES]} | {record}))
    return (*crops, DerivedItem("composite.jpg", compose(tiles, caption_lines(caption)), sources, COMPOSITE))


def _label(path: str, item: ImageItem) -> str:
    return f"{_ROLES.get(item.role, item.role.value)} {PurePosixPath(path).name} {item.sha256[:12]}"
