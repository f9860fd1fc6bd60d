"""What every engine must do; an engine that is added is tested by being in `ENGINES`."""

from pathlib import Path

import numpy as np
import pytest

from domain.errors import ConfigurationError, InputRefused
from domain.events import CaptureRole
from domain.ids import sha256_of
from domain.plates import PlateClass, PlateColour
from plate_recognition import ENGINES, PlateEngine, load_engine
from plate_recognition.grammar import is_grammatical
from plate_recognition.sessions import Network
from plate_recognition.weights import WeightFile, locate
from tests.unit.plate_recognition import drawing


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> PlateEngine:
    """Each engine in turn."""
    return load_engine(request.param)


_FRONT = drawing.one_row("鲁H80K15", drawing.YELLOW, drawing.BLACK)
_TRUCK_PLATES = {
    "yellow, one row": ("鲁H80K15", _FRONT, PlateClass.LARGE, PlateColour.YELLOW),
    "yellow, two rows": ("云A82B19", drawing.two_rows("云A82B19"), PlateClass.LARGE, PlateColour.YELLOW),
    "trailer": ("冀B7K36挂", drawing.two_rows("冀B7K36挂"), PlateClass.TRAILER, PlateColour.YELLOW),
    "new energy, large": (
        "粤B36915D",
        drawing.new_energy("粤B36915D", large=True),
        PlateClass.NEV_LARGE,
        PlateColour.YELLOW_GREEN,
    ),
    "new energy, small": (
        "川AD59318",
        drawing.new_energy("川AD59318", large=False),
        PlateClass.NEV_SMALL,
        PlateColour.GREEN,
    ),
    "blue": (
        "豫C6A027",
        drawing.one_row("豫C6A027", drawing.BLUE, drawing.WHITE),
        PlateClass.SMALL,
        PlateColour.BLUE,
    ),
}


@pytest.mark.parametrize("width_px", [130, 190])
@pytest.mark.parametrize("kind", list(_TRUCK_PLATES))
def test_reads_plates_of_every_class_in_a_scene(engine: PlateEngine, kind: str, width_px: int) -> None:
    text, plate, plate_class, colour = _TRUCK_PLATES[kind]
    picture, corners = drawing.scene(plate, width_px=width_px, seed=width_px)
    image = drawing.jpeg(picture)
    reading = engine.read(image, CaptureRole.FRONT)
    assert (reading.text, reading.plate_class, reading.colour) == (text, plate_class, colour)
    assert reading.image_sha256 == sha256_of(image)
    assert reading.corners_px is not None
    assert np.abs(np.array(reading.corners_px) - corners).max() < width_px / 4


@pytest.mark.parametrize("kind", list(_TRUCK_PLATES))
def test_reads_a_plate_that_was_cut_out(engine: PlateEngine, kind: str) -> None:
    text, plate, plate_class, _ = _TRUCK_PLATES[kind]
    crop = drawing.resized(plate, 150, round(150 * plate.shape[0] / plate.shape[1]))
    reading = engine.read(drawing.jpeg(crop), CaptureRole.PLATE)
    assert (reading.text, reading.plate_class) == (text, plate_class)


def test_corners_are_those_of_the_full_image_when_it_is_decoded_smaller(engine: PlateEngine) -> None:
    picture, corners = drawing.scene(_FRONT, width_px=480, seed=5, size=(4800, 2700))
    reading = engine.read(drawing.jpeg(picture), CaptureRole.FRONT)
    assert reading.text == "鲁H80K15"
    assert np.abs(np.array(reading.corners_px) - corners).max() < 100


def test_confidence_is_the_weakest_characters_and_candidates_say_whether_they_are_grammatical(
    engine: PlateEngine,
) -> None:
    picture, _ = drawing.scene(_FRONT, width_px=90, seed=2)
    reading = engine.read(drawing.jpeg(picture), CaptureRole.FRONT)
    best = reading.candidates[0]
    assert (reading.text, reading.confidence_ppm) == (best.text, best.confidence_ppm)
    for candidate in reading.candidates:
        assert candidate.grammatical is is_grammatical(candidate.text)
        assert candidate.confidence_ppm == min(candidate.character_ppm)
        assert len(candidate.character_ppm) == len(candidate.text)


@pytest.mark.parametrize("role", list(CaptureRole))
def test_where_there_is_no_plate_none_is_read(engine: PlateEngine, role: CaptureRole) -> None:
    noise = np.random.default_rng(3).normal(128, 20, (540, 960, 3)).clip(0, 255).astype(np.uint8)
    reading = engine.read(drawing.jpeg(noise), role)
    assert reading.text is None
    assert reading.plate_class is PlateClass.UNKNOWN


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (1, 20_000), (24, 94)])
def test_odd_sizes_are_no_plate_and_no_failure(engine: PlateEngine, size: tuple[int, int]) -> None:
    reading = engine.read(drawing.jpeg(np.full((*size, 3), 200, np.uint8)), CaptureRole.PLATE)
    assert reading.text is None


def test_the_same_image_is_read_the_same_way_twice(engine: PlateEngine) -> None:
    picture, _ = drawing.scene(drawing.two_rows("云A82B19"), width_px=100, seed=8)
    image = drawing.jpeg(picture)
    assert engine.read(image, CaptureRole.REAR) == engine.read(image, CaptureRole.REAR)


def test_a_broken_image_is_refused(engine: PlateEngine) -> None:
    with pytest.raises(InputRefused):
        engine.read(drawing.jpeg(_FRONT)[:-40], CaptureRole.FRONT)


def test_every_model_file_is_named_with_its_digest(engine: PlateEngine) -> None:
    assert engine.models
    for name, digest in engine.models.items():
        assert name.endswith(".onnx")
        assert len(digest) == 64


def test_an_engine_is_loaded_once_a_process(engine: PlateEngine) -> None:
    assert load_engine(engine.name) is engine


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="onnx"):
        load_engine("abacus")


def test_missing_weights_say_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match=r"install plate-weights"):
        locate(WeightFile("plate-weights", "no_such_package_of_weights", "models/rec.onnx"))


@pytest.mark.parametrize("content", [b"", b"not a network"])
def test_damaged_weights_say_what_to_reinstall(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "damaged_weights"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "rec.onnx").write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match="reinstall"):
        Network(WeightFile("damaged-weights", "damaged_weights", "rec.onnx"), threads=1)
