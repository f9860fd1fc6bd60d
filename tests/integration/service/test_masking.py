"""Masked copies spare other people, show the vehicle's own plate, and leave the package as it is."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.errors import EvidenceBroken, InputRefused
from domain.events import CaptureRole
from domain.ids import DeviceId, Sha256, sha256_of
from evidence import ImageItem, build
from evidence.derived.masking import Region, masked_copy
from evidence.masked_copies import LIST, read_copies, write_copies
from service.masking import masked_copies
from service.settings import Settings
from tests.fixtures.evidence import contents
from tests.unit.plate_recognition import drawing

OWN, OWN_CORNERS = drawing.scene(
    drawing.one_row("鲁H80K15", drawing.YELLOW, drawing.BLACK), width_px=180, seed=1, size=(960, 1080)
)
THIRD, THIRD_CORNERS = drawing.scene(
    drawing.one_row("京A12345", drawing.YELLOW, drawing.BLACK), width_px=180, seed=2, size=(960, 1080)
)
PHOTO = drawing.jpeg(np.hstack([OWN, THIRD]))
POINTS = tuple((round(x), round(y)) for x, y in OWN_CORNERS.tolist())
OTHER = tuple((round(x) + 960, round(y)) for x, y in THIRD_CORNERS.tolist())


def pixels(jpeg: bytes) -> np.ndarray:
    """Return a JPEG's pixels."""
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.int16)


def within(image: np.ndarray, corners: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Return the upright rectangle around corners."""
    across, down = [x for x, _ in corners], [y for _, y in corners]
    return image[min(down) : max(down), min(across) : max(across)]


def edges(image: np.ndarray) -> float:
    """Return how strong the edges between neighbours are: characters make many."""
    return float(np.abs(np.diff(image, axis=1)).mean())


def tree(folder: Path) -> dict[str, str]:
    """Return every file's digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a package with one front image that shows two vehicles."""
    image = ImageItem(CaptureRole.FRONT, DeviceId("cam-front"), sha256_of(PHOTO), PHOTO)
    reading = {
        "text": "鲁H80K15",
        "captures": [{"image_sha256": image.sha256, "text": "鲁H80K15", "corners_px": POINTS}],
    }
    made = build(tmp_path / "evidence", replace(contents(), images=(image,), reading=reading))
    return tmp_path / "evidence" / made.folder


def test_the_other_plate_is_masked_the_own_one_is_not_and_the_package_is_as_it_was(
    package: Path, tmp_path: Path
) -> None:
    before, out = tree(package), tmp_path / "out"
    copies = masked_copies(package, Settings(mask_cab_permille="250 100 450 300"))
    write_copies(out, package.name, Sha256("0" * 64), copies)
    assert tree(package) == before
    assert {one.stat().st_mode & 0o077 for one in (out, out / "masked")} == {0}
    (listed,) = json.loads((out / LIST).read_text())["copies"]
    assert listed["masked"]["regions_permille"] == [[250, 100, 450, 300]]
    assert listed["masked"]["plates_px"]
    assert read_copies(out).digests == {listed["path"]: listed["sha256"]}
    copy = (out / listed["path"]).read_bytes()
    assert listed["sha256"] == hashlib.sha256(copy).hexdigest()
    assert listed["from"] == [hashlib.sha256(PHOTO).hexdigest()]
    assert listed["by"].startswith("zhichao-mask/1 pillow/")
    was, now = pixels(PHOTO), pixels(copy)
    assert edges(within(now, OTHER)) < edges(within(was, OTHER)) / 4
    assert edges(within(now, POINTS)) == pytest.approx(edges(within(was, POINTS)), rel=0.2)


def test_the_cab_is_masked_and_the_own_plate_in_it_is_not() -> None:
    copy = masked_copy("x.jpg", PHOTO, sha256_of(PHOTO), regions=[Region(0, 0, 500, 1000)], own=[POINTS])
    assert copy is not None
    was, now = pixels(PHOTO), pixels(copy.data)
    assert edges(now[:600, :950]) < edges(was[:600, :950]) / 4
    assert edges(within(now, POINTS)) == pytest.approx(edges(within(was, POINTS)), rel=0.2)


def test_equal_originals_give_equal_copies() -> None:
    twice = [masked_copy("x.jpg", PHOTO, sha256_of(PHOTO), plates=[OTHER]) for _ in range(2)]
    assert twice[0] == twice[1]


def test_an_image_that_cannot_be_looked_at_gives_no_copy_of_anything(tmp_path: Path) -> None:
    made = build(tmp_path / "evidence", replace(contents(), reading={"captures": []}))
    with pytest.raises((EvidenceBroken, InputRefused)):
        masked_copies(tmp_path / "evidence" / made.folder, Settings())
    assert masked_copy("x.jpg", b"no image", Sha256("0" * 64)) is None


def test_what_is_no_package_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "event.json").write_bytes(b'{"originals":[]}')
    (tmp_path / "data" / "reading.json").write_bytes(b'{"captures":[]}')
    with pytest.raises(EvidenceBroken, match="verify it first"):
        masked_copies(tmp_path, Settings())


def test_a_folder_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        write_copies(tmp_path, "EV-1", Sha256("0" * 64), [])
