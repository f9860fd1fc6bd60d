"""Messages and registry facts for the store's tests: small, complete, different where a test says so."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from domain.events import (
    Axle,
    CaptureMessage,
    CaptureMeta,
    CaptureRole,
    ExpectedCapture,
    MessageHeader,
    WeighMessage,
    WeighRecord,
    Wire,
)
from domain.ids import DeviceId, Epoch, Sequence, SiteId, StationId, sha256_of
from domain.refusals import RefusalCode
from domain.registry import Announcement, Certificate, LegalBasis, Site, StationContext
from domain.screening import Adjudication, Formula, LimitStep, Outcome, Screening
from domain.weighing import CalibrationUse, WeighedAxle, WeighedGroup, Weighing
from store.connection import Connection
from store.intake_batch import CaptureRow, IntakeBatch, Key, PassageRow, RefusalRow
from store.registry import load_registry, parse_registry

T0 = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
STATION = StationId("S1")
SCALE = DeviceId("wim-1")
EPOCH = Epoch("e0")

REGISTRY = """
[[sites]]
site_id = "G105-K1"
name = "测试点"
road = "G105"
stake = "K1+200"
direction = "up"
lanes = 3
valid_from = 2026-01-01

[[stations]]
station_id = "S1"
site_id = "G105-K1"

[[devices]]
station_id = "S1"
device_id = "wim-1"
kind = "wim"
valid_from = 2026-01-01

[[devices]]
station_id = "S1"
device_id = "cam-front"
kind = "camera"
valid_from = 2026-01-01
valid_to = 2026-12-31

[[certificates]]
station_id = "S1"
device_id = "wim-1"
number = "C-2026-1"
issued_by = "省计量院"
accuracy_class = "5"
mpe_in_service_ppm = 50000
min_speed_m_h = 5000
max_speed_m_h = 100000
lanes = [1, 2, 3]
valid_from = 2026-03-01
valid_to = 2027-02-28

[[announcements]]
site_id = "G105-K1"
number = "公告1"
published_on = 2026-02-01
in_force_from = 2026-03-10

[[legal_basis]]
site_id = "G105-K1"
citation = "某省条例 第1条"
liable_party = "owner"
valid_from = 2026-01-01
valid_to = 2026-06-30

[[legal_basis]]
site_id = "G105-K1"
citation = "某省条例(修订) 第2条"
liable_party = "driver"
valid_from = 2026-07-01

[[officers]]
officer_id = "O1"
name = "王一"
licences = [
    {number = "L-1", valid_from = 2025-01-01, valid_to = 2026-05-31},
    {number = "L-2", valid_from = 2026-05-01, valid_to = 2028-05-01},
]
"""

CONTEXT = StationContext(
    station=STATION,
    device=SCALE,
    site=Site(
        site_id=SiteId("G105-K1"),
        name="测试点",
        road="G105",
        stake="K1+200",
        direction="up",
        lanes=3,
        gross_limit_kg=None,
        completeness_profile="standard",
        valid_from=date(2026, 1, 1),
        valid_to=None,
    ),
    certificate=Certificate(
        number="C-2026-1",
        device=SCALE,
        issued_by="省计量院",
        accuracy_class="5",
        mpe_in_service_ppm=50_000,
        min_speed_m_h=5_000,
        max_speed_m_h=100_000,
        lanes=(1, 2, 3),
        valid_from=date(2026, 3, 1),
        valid_to=date(2027, 2, 28),
    ),
    announcement=Announcement(
        number="公告1", published_on=date(2026, 2, 1), in_force_from=date(2026, 3, 10), in_force_to=None
    ),
    legal_basis=LegalBasis(
        citation="某省条例(修订) 第2条", liable_party="driver", valid_from=date(2026, 7, 1), valid_to=None
    ),
)


async def with_registry(conn: Connection) -> Connection:
    """Load the test registry and return the connection."""
    await load_registry(conn, parse_registry(REGISTRY))
    return conn


def screening(outcome: Outcome) -> Screening:
    """A screening with this outcome; its figures hang together but no table was asked."""
    over_kg = 6_000 if outcome is Outcome.OVERLOADED else 0
    limit_kg = 18_000 if over_kg else 31_000
    return Screening(
        outcome=outcome,
        vehicle_code="15",
        taken_as="truck",
        groups=(),
        limit_steps=(
            LimitStep(row="test", clause="Art. 3", amount_kg=limit_kg, running_kg=limit_kg, note="made up"),
        ),
        adjudication=Adjudication(
            measured_gross_kg=26_000,
            formula=Formula.DEDUCT,
            mpe_ppm=50_000,
            u_gross_ppm=15_000,
            guard_k_milli=2_000,
            after_deduction_kg=24_700,
            after_guard_kg=24_000,
            adjudged_kg=24_000,
            limit_kg=limit_kg,
            over_kg=over_kg,
            over_ppm=333_333 if over_kg else 0,
        ),
        doubts=(),
        reasons=(),
        axle_flags=(),
        algorithm="test/1",
        tables={},
    )


def passage(
    sequence: int,
    *,
    match_key: str | None = None,
    outcome: Outcome = Outcome.OVERLOADED,
    expected: tuple[tuple[str, CaptureRole], ...] = (("cam-front", CaptureRole.FRONT),),
    at: datetime = T0,
    payload: bytes | None = None,
    epoch: Epoch = EPOCH,
    profile: str = "plates-test",
) -> PassageRow:
    """A passage of the scale; match key, capture time and payload follow from the sequence.

    Its site's profile asks for one image of any role, unless a test says otherwise.
    """
    header = _header(SCALE, sequence, at, epoch)
    record = WeighRecord(
        match_key=match_key or f"m-{sequence}",
        lane=1,
        direction="up",
        speed_m_h=63_400,
        gross_kg=26_000,
        axles=(Axle(load_kg=7_000), Axle(load_kg=9_500), Axle(load_kg=9_500)),
        spacings_mm=(3_300, 1_350),
        expected_captures=tuple(
            ExpectedCapture(device=DeviceId(device), role=role) for device, role in expected
        ),
    )
    wire = _wire("weigh", payload or f'{{"n": {sequence}}}'.encode(), "application/json", at)
    site = CONTEXT.site.model_copy(update={"completeness_profile": profile})
    context = CONTEXT.model_copy(update={"site": site})
    return PassageRow(WeighMessage(header=header, record=record, wire=wire), context, screening(outcome))


WEIGHING = Weighing(
    axles=tuple(
        WeighedAxle(load_kg=load, place_mm=place, u_ppm=12_000, strip_loads_n=(load * 10, None))
        for load, place in ((7_000, 3_000), (9_500, -300), (9_500, -1_650))
    ),
    groups=(WeighedGroup(first_axle=2, axle_count=2, load_kg=19_000, u_ppm=10_000),),
    gross_kg=26_000,
    u_gross_ppm=9_000,
    speed_mm_s=17_611,
    acceleration_mm_s2=-20,
    origin_us=120_000,
    calibration=CalibrationUse(version=3, digest=sha256_of(b"state")),
    algorithms={"estimate": "test/1"},
)


def waveform_passage(sequence: int, *, framing: bytes = b"", samples: bytes = bytes(100_000)) -> PassageRow:
    """A passage weighed by the platform, from a message too large for its row."""
    row = passage(sequence)
    wire = _wire("waveform", framing + samples, "application/vnd.zhichao.waveform", T0)
    wire = wire.model_copy(update={"body_offset": len(framing)})
    message = row.message.model_copy(update={"wire": wire})
    return replace(row, message=message, weighing=WEIGHING, body_sha256=wire.body_sha256)


def capture(
    sequence: int,
    *,
    match_key: str | None = None,
    role: CaptureRole = CaptureRole.FRONT,
    device: str = "cam-front",
    at: datetime = T0 + timedelta(seconds=1),
    image: bytes | None = None,
    framing: bytes = b"",
    lane: int | None = None,
) -> CaptureRow:
    """A capture of the same vehicle as `passage(sequence)`."""
    clip = role is CaptureRole.CLIP
    image = image or hashlib.sha256(f"image {device} {sequence}".encode()).digest()
    digest = sha256_of(image)
    meta = CaptureMeta(
        match_key=match_key or f"m-{sequence}",
        role=role,
        lane=lane,
        content_type="video/mp4" if clip else "image/jpeg",
        sha256=digest,
        size_bytes=len(image),
        width_px=0 if clip else 8,
        height_px=0 if clip else 4,
    )
    header = _header(DeviceId(device), sequence, at, EPOCH)
    wire = _wire("capture", framing + image, meta.content_type, at)
    return CaptureRow(CaptureMessage(header=header, meta=meta, image=image, wire=wire), digest)


def refusal(sequence: int | None, *, payload: bytes = b"{", station: str | None = "S1") -> RefusalRow:
    """A broken message; with a sequence it has a full key."""
    known = sequence is not None and station == STATION
    return RefusalRow(
        wire=_wire("weigh", payload, "application/json", T0),
        claims=(station, SCALE, EPOCH, sequence),
        code=RefusalCode.BROKEN_JSON,
        detail="line 1: unexpected end",
        key=Key(STATION, SCALE, EPOCH, Sequence(sequence)) if known and sequence is not None else None,
    )


def batch(*rows: PassageRow | CaptureRow | RefusalRow) -> IntakeBatch:
    """Sort rows into a batch."""
    return IntakeBatch(
        passages=[row for row in rows if isinstance(row, PassageRow)],
        captures=[row for row in rows if isinstance(row, CaptureRow)],
        refusals=[row for row in rows if isinstance(row, RefusalRow)],
    )


def _header(device: DeviceId, sequence: int, at: datetime, epoch: Epoch) -> MessageHeader:
    return MessageHeader(
        schema_version=1,
        station=STATION,
        device=device,
        epoch=epoch,
        sequence=Sequence(sequence),
        captured_at=at,
        sent_at=at + timedelta(seconds=1),
    )


def _wire(kind: str, payload: bytes, content_type: str, at: datetime) -> Wire:
    return Wire(
        topic=f"zhichao/v1/S1/x/{kind}",
        payload=payload,
        content_type=content_type,
        properties=(("schema", "1"), ("station", "S1")),
        received_at=at + timedelta(seconds=2),
    )
