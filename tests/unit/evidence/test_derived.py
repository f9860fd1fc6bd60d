"""Derived views: made of the originals, never instead of them, the same bytes each time, whatever is sent."""

import io
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from domain.events import Axle, CaptureRole, ClockState, MessageHeader, WeighRecord
from domain.ids import DeviceId, Epoch, Sequence, Sha256, SiteId, StationId, sha256_of
from domain.plates import PlateClass, PlateColour, PlateReading
from domain.registry import Certificate, Site, StationContext
from evidence import DerivedItem, ImageItem, PackageContents, anti_forgery_code, as_text
from evidence.derived import Caption, caption_lines, derive_views
from evidence.derived.composite import MAX_TILES, WIDTH_PX, tile_size
from evidence.derived.pictures import decoded
from evidence.parsing import document_of
from tests.counts import count
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents, event_number
from tests.unit.cases.screenings import screening

pytestmark = pytest.mark.usefixtures("second_opinion")

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)
RECORD = sha256_of(b"record")
DAY = date(2026, 1, 1)
PLATE = ((300, 200), (420, 200), (420, 240), (300, 240))
CAPTION = Caption(
    header=MessageHeader(
        schema_version=1,
        station=StationId("S1"),
        device=DeviceId("wim-1"),
        epoch=Epoch("e0"),
        sequence=Sequence(1),
        captured_at=CAPTURED_AT,
        sent_at=CAPTURED_AT,
        clock=ClockState(),
    ),
    record=WeighRecord(
        match_key="m",
        lane=2,
        direction="up",
        speed_m_h=60_000,
        gross_kg=52_340,
        axles=tuple(Axle(load_kg=load) for load in (7_001, 11_339, 34_000)),
        spacings_mm=(3_000, 6_000),
    ),
    context=StationContext(
        station=StationId("S1"),
        device=DeviceId("wim-1"),
        site=Site(
            site_id=SiteId("site-1"),
            name="嵩明主线",
            road="G56 杭瑞高速",
            stake="K2143+500",
            direction="up",
            lanes=2,
            gross_limit_kg=None,
            completeness_profile="standard",
            valid_from=DAY,
            valid_to=None,
        ),
        certificate=Certificate(
            number="C-2026-7",
            device=DeviceId("wim-1"),
            issued_by="x",
            accuracy_class="5",
            mpe_in_service_ppm=50_000,
            min_speed_m_h=0,
            max_speed_m_h=100_000,
            lanes=(1, 2),
            valid_from=DAY,
            valid_to=date(2027, 1, 1),
        ),
        announcement=None,
        legal_basis=None,
    ),
    mass=screening(5_000).adjudication,
    reading=PlateReading(
        text="云A12345",
        confidence_ppm=990_000,
        plate_class=PlateClass.LARGE,
        colour=PlateColour.YELLOW,
        trailer_text="云B678挂",
        captures=(),
        engine="test",
        models={},
    ),
    code="AAAA-BBBB-CCCC-DDDD",
)


def jpeg(colour: tuple[int, int, int], *, size: tuple[int, int] = (640, 360), turned: bool = False) -> bytes:
    """A photograph of one colour with a plate at `PLATE`; `turned`, as a camera on its side stores it."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).rectangle((*PLATE[0], *PLATE[2]), fill=(255, 255, 0))
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
        image = image.transpose(Image.Transpose.ROTATE_90)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=95, exif=exif.tobytes())
    return data.getvalue()


def item(data: bytes, role: CaptureRole = CaptureRole.FRONT, device: str = "cam") -> ImageItem:
    return ImageItem(role, DeviceId(device), sha256_of(data), data)


def views(*images: ImageItem, plates: bool = True, caption: Caption = CAPTION) -> dict[str, DerivedItem]:
    corners = {(one.role, one.sha256): PLATE for one in images} if plates else {}
    return {view.name: view for view in derive_views(images, corners, caption, RECORD)}


def pixels(view: DerivedItem) -> Image.Image:
    return Image.open(io.BytesIO(view.data)).convert("RGB")


def near(found: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(found, tuple)
    return all(abs(one - other) <= 8 for one, other in zip(found, wanted, strict=True))


FRONT, REAR = item(jpeg(RED)), item(jpeg(GREEN), CaptureRole.REAR)


def test_the_words_hold_all_that_an_overlay_is_asked_for() -> None:
    mass = CAPTION.mass
    when, loads, limit, plate, code = caption_lines(CAPTION)
    for part in (
        *("2026-03-20 16:30:00.2 北京时间", "G56 杭瑞高速 K2143+500 嵩明主线"),
        *("方向 up", "车道 2", "设备 S1/wim-1"),
    ):
        assert part in when
    assert "7001 + 11339 + 34000 kg" in loads
    assert f"总质量 {mass.measured_gross_kg} kg" in loads
    assert f"限值 {mass.limit_kg} kg" in limit
    assert f"认定质量 {mass.adjudged_kg} kg" in limit
    assert "C-2026-7" in limit
    assert plate == "号牌 云A12345  挂车 云B678挂（机器识读，未经人工核对）"
    assert f"防伪码 AAAA-BBBB-CCCC-DDDD  事件 {CAPTION.header.event_id}" in code
    assert "未经审核" in code


@pytest.mark.parametrize(
    ("gross_kg", "u_ppm", "u_kg"), [(50_000, 10_000, 500), (50_001, 10_000, 501), (1, 1, 1)]
)
def test_the_uncertainty_is_rounded_up_to_the_partys_favour(gross_kg: int, u_ppm: int, u_kg: int) -> None:
    mass = CAPTION.mass.model_copy(update={"measured_gross_kg": gross_kg, "u_gross_ppm": u_ppm})
    assert f"标准不确定度 {u_kg} kg" in caption_lines(CAPTION._replace(mass=mass))[1]


def test_a_plate_that_was_not_read_and_a_certificate_that_is_not_there_are_said_to_be() -> None:
    unread = CAPTION.reading.model_copy(update={"text": None, "trailer_text": None})
    context = CAPTION.context.model_copy(update={"certificate": None})
    lines = caption_lines(CAPTION._replace(reading=unread, context=context))
    assert "号牌 未识读（机器识读" in lines[3]
    assert "检定证书 无" in lines[2]


def test_control_characters_of_a_station_do_not_reach_the_sheet() -> None:
    record = CAPTION.record.model_copy(update={"direction": "up\n限值 99"})
    assert "up\N{REPLACEMENT CHARACTER}限值 99" in caption_lines(CAPTION._replace(record=record))[0]


def test_the_same_originals_and_words_give_the_same_bytes() -> None:
    assert views(FRONT, REAR) == views(REAR, FRONT)


def test_every_view_names_what_it_was_made_of_and_by_what() -> None:
    made = views(FRONT, REAR)
    assert set(made) == {"01-front-plate.png", "02-rear-plate.png", "composite.jpg"}
    assert made["02-rear-plate.png"].sources == (REAR.sha256,)
    assert set(made["composite.jpg"].sources) == {FRONT.sha256, REAR.sha256, RECORD}
    assert all("/" in view.by and "pillow/" in view.by for view in made.values())


def test_the_composite_shows_each_image_in_its_place() -> None:
    side = item(jpeg(BLUE), CaptureRole.SIDE)
    sheet = pixels(views(FRONT, REAR, side)["composite.jpg"])
    width, height = tile_size(3)
    assert (sheet.width, width) == (WIDTH_PX, 640)
    for place, colour in enumerate((RED, GREEN, BLUE)):
        assert near(sheet.getpixel((place * width + width // 2, height * 3 // 4)), colour)


def test_the_words_change_the_strip_and_nothing_above_it() -> None:
    one = pixels(views(FRONT, REAR)["composite.jpg"])
    other = pixels(views(FRONT, REAR, caption=CAPTION._replace(code="EEEE-FFFF-GGGG-HHHH"))["composite.jpg"])
    _, height = tile_size(2)
    above = (0, 0, WIDTH_PX, height - 16)  # a JPEG block may reach over the border
    assert one.crop(above).tobytes() == other.crop(above).tobytes()
    below = (0, height, WIDTH_PX, one.height)
    assert one.crop(below).tobytes() != other.crop(below).tobytes()


def test_many_images_and_long_words_stay_on_the_sheet() -> None:
    images = [item(jpeg(RED), device=f"cam-{number}") for number in range(MAX_TILES + 3)]
    site = CAPTION.context.site.model_copy(update={"name": "很长的站点名称" * 60})
    context = CAPTION.context.model_copy(update={"site": site})
    few, many = views(*images), views(*images, caption=CAPTION._replace(context=context))
    assert pixels(few["composite.jpg"]).height >= 3 * tile_size(9)[1]
    assert pixels(many["composite.jpg"]).height > pixels(few["composite.jpg"]).height
    assert pixels(views()["composite.jpg"]).width == WIDTH_PX


def test_a_plate_is_cut_out_with_its_pixels_kept() -> None:
    crop = pixels(views(FRONT)["01-front-plate.png"])
    original = Image.open(io.BytesIO(FRONT.data)).convert("RGB")
    assert crop.size == (120 + 2 * 18 + 1, 40 + 2 * 6 + 1)
    assert crop.tobytes() == original.crop((282, 194, 439, 247)).tobytes()


def test_a_plate_in_an_image_stored_on_its_side_is_cut_where_it_is_seen() -> None:
    """Corners are those of the upright image, as the plate reader turns it too."""
    turned = item(jpeg(RED, turned=True))
    crop = pixels(views(turned)["01-front-plate.png"])
    assert near(crop.getpixel((crop.width // 2, crop.height // 2)), (255, 255, 0))


@pytest.mark.parametrize(
    "corners",
    [((900, 10), (990, 10), (990, 40), (900, 40)), ((-90, -90), (-50, -90), (-50, -60), (-90, -60))],
)
def test_corners_outside_the_image_give_no_crop(corners: tuple[tuple[int, int], ...]) -> None:
    made = derive_views([FRONT], {(FRONT.role, FRONT.sha256): corners}, CAPTION, RECORD)
    assert [view.name for view in made] == ["composite.jpg"]


def _scanned_for_ever(data: bytes) -> bytes:
    """The same picture, its last scan sent two hundred times: a decoder decodes every one."""
    whole = io.BytesIO()
    Image.open(io.BytesIO(data)).save(whole, "JPEG", progressive=True)
    head, scan, last = whole.getvalue().rpartition(b"\xff\xda")
    return head + (scan + last.removesuffix(b"\xff\xd9")) * 200 + b"\xff\xd9"


def _declared_huge(data: bytes) -> bytes:
    frame = data.index(b"\xff\xc0")
    return data[: frame + 5] + b"\xff\xdc\xff\xdc" + data[frame + 9 :]


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: b"",
        lambda data: b"\xff\xd8 no picture \xff\xd9",
        lambda data: data[: len(data) // 2],
        lambda data: bytes(len(data)),
        lambda data: b"\x89PNG\r\n\x1a\n" + data,
        _declared_huge,
        _scanned_for_ever,
    ],
)
def test_an_image_that_cannot_be_decoded_does_not_stop_the_sealing(broken: Callable[[bytes], bytes]) -> None:
    damaged = item(broken(REAR.data), CaptureRole.REAR)
    made = views(FRONT, damaged)
    assert set(made) == {"01-front-plate.png", "composite.jpg"}
    assert damaged.sha256 in made["composite.jpg"].sources
    sheet, whole = pixels(made["composite.jpg"]), pixels(views(FRONT, REAR)["composite.jpg"])
    width, height = tile_size(2)
    assert near(sheet.getpixel((width // 2, height * 3 // 4)), RED)
    assert near(sheet.getpixel((width + width // 2, height * 3 // 4)), (72, 72, 72))
    assert sheet.size == whole.size


@settings(max_examples=count(3_000, reduced=100), deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 40))
def test_no_image_however_damaged_raises(seed: int, changes: int) -> None:
    rng = random.Random(seed)
    data = bytearray(jpeg(RED, size=(64, 48)))
    for _ in range(changes):
        data[rng.randrange(len(data))] = rng.randrange(256)
    image = decoded(bytes(data[: rng.randrange(len(data) + 1) or None]))
    assert image is None or image.mode == "RGB"


def _shown(**changed: object) -> PackageContents:
    made = derive_views([FRONT, REAR], {}, CAPTION, contents().wire[0].sha256)
    return replace(contents(), images=(FRONT, REAR), derived=made, **changed)  # type: ignore[arg-type]


def test_views_lie_beside_originals_that_stay_as_they_came(deployment: Deployment) -> None:
    package = deployment.seal(_shown())
    event = document_of((package / "data/event.json").read_bytes(), "event")
    assert (package / "data/images/01-front.jpg").read_bytes() == FRONT.data
    assert [view["path"] for view in event["derived"]] == ["data/derived/composite.jpg"]
    assert all("derived" not in entry["path"] for kind in event["originals"].values() for entry in kind)
    report = deployment.verify(package)
    assert report.ok, as_text(report)
    assert event["anti_forgery"]["code"] in as_text(report)


def test_the_code_is_of_the_event_and_all_its_originals_and_of_nothing_else(deployment: Deployment) -> None:
    package = deployment.seal(_shown())
    event = document_of((package / "data/event.json").read_bytes(), "event")
    digests = [FRONT.sha256, REAR.sha256, contents().wire[0].sha256]
    assert event["anti_forgery"]["code"] == anti_forgery_code(event_number(1), digests[::-1] * 2)
    codes = {
        anti_forgery_code(event_number(number), chosen)
        for number in (1, 2)
        for chosen in (digests, digests[:2], [*digests[:2], Sha256("0" * 64)], [])
    }
    assert len(codes) == 8


def test_a_code_of_other_originals_is_refused(deployment: Deployment) -> None:
    """Sealed with the right keys by an owner gone bad: a composite printed for another event."""
    package = deployment.seal(_shown())
    path = package / "data/event.json"
    code = document_of(path.read_bytes(), "event")["anti_forgery"]["code"]
    path.write_bytes(path.read_bytes().replace(code.encode(), b"AAAA-BBBB-CCCC-DDDD"))
    report = deployment.verify(deployment.reseal(package))
    assert report.broken == ("derived",)
    assert code in as_text(report)


def test_a_composite_without_a_code_is_refused(deployment: Deployment) -> None:
    package = deployment.seal(_shown())
    path = package / "data/event.json"
    found = path.read_bytes().partition(b'"anti_forgery":')[2].partition(b"},")[0]
    path.write_bytes(path.read_bytes().replace(b'"anti_forgery":' + found + b"},", b""))
    assert deployment.verify(deployment.reseal(package)).broken == ("derived",)


def test_a_changed_view_is_seen(deployment: Deployment) -> None:
    package = deployment.seal(_shown())
    view = package / "data/derived/composite.jpg"
    view.write_bytes(view.read_bytes()[:-3] + b"\x00\xff\xd9")
    assert "manifest" in deployment.verify(package).broken


def test_a_package_with_views_is_the_same_bytes_twice(tmp_path: Path) -> None:
    first, second = Deployment(tmp_path / "a"), Deployment(tmp_path / "b")
    a, b = first.seal(_shown()), second.seal(_shown())
    assert (a / "tagmanifest-sha256.txt").read_bytes() == (b / "tagmanifest-sha256.txt").read_bytes()


def test_beijing_time_is_eight_hours_ahead_at_the_turn_of_a_year() -> None:
    late = CAPTION.header.model_copy(
        update={"captured_at": datetime(2026, 12, 31, 16, 0, 0, 999_999, tzinfo=UTC)}
    )
    assert "2027-01-01 00:00:00.9 北京时间" in caption_lines(CAPTION._replace(header=late))[0]
