"""Masked copies spare other people, show the vehicle's own plate, and leave the package as it is."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from domain.events import CaptureRole
from domain.ids import DeviceId, Sha256, sha256_of
from evidence import ImageItem, build
from evidence.derived.masking import Region, masked_copy
from service.cli import main
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


def run(*words: object, **settings: str) -> tuple[int, str]:
    """Run `zhichao evidence mask`."""
    result = CliRunner().invoke(main, ["evidence", "mask", *map(str, words)], env=settings)
    return result.exit_code, result.output


def test_the_other_plate_is_masked_the_own_one_is_not_and_the_package_is_as_it_was(
    package: Path, tmp_path: Path
) -> None:
    before, out = tree(package), tmp_path / "out"
    assert run(package, out, ZHICHAO_MASK_CAB_PERMILLE="250 100 450 300")[0] == 0
    assert tree(package) == before
    (listed,) = json.loads((out / "derived.json").read_text())
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
    status, said = run(tmp_path / "evidence" / made.folder, tmp_path / "out")
    assert status == 1, said
    assert not (tmp_path / "out").exists()
    assert masked_copy("x.jpg", b"no image", Sha256("0" * 64)) is None


def test_what_is_no_package_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "event.json").write_bytes(b'{"originals":[]}')
    (tmp_path / "data" / "reading.json").write_bytes(b'{"captures":[]}')
    status, said = run(tmp_path, tmp_path / "out")
    assert (status, "verify it first" in said) == (1, True)


def test_a_folder_that_is_there_is_not_written_into(package: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    status, said = run(package, tmp_path / "out")
    assert (status != 0, "name a new folder" in said) == (True, True)
