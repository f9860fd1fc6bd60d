"""JSON bodies of the native contract, as written in docs/reference/mqtt.md, and what they become."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from domain.errors import InputRefused
from domain.events import (
    MAX_AXLES,
    Axle,
    CaptureRole,
    DrivingFlag,
    ExpectedCapture,
    StationState,
    StationStatus,
    Tyres,
    VehicleKind,
    WeighRecord,
)
from domain.ids import DeviceId, StationId
from domain.refusals import RefusalCode
from ingest.fields import MOMENT, name, scaled, text, whole

SUM_TOLERANCE_KG = 100
SUM_TOLERANCE_PERCENT = 1
"""Gross and axle sum may differ by the larger of the two: stations round each figure for itself."""

MAX_EXPECTED_CAPTURES = 32


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AxleBody(_Body):
    """One axle."""

    load_kg: Annotated[int, whole(0, 100_000, "kg")]
    tyres: Tyres = Tyres.UNKNOWN


class VehicleBody(_Body):
    """What the station knows of the vehicle beyond its weights."""

    kind: VehicleKind = VehicleKind.UNKNOWN
    drive_axles: (
        Annotated[tuple[Annotated[int, whole(1, MAX_AXLES)], ...], Field(max_length=MAX_AXLES)] | None
    ) = None
    air_suspension: StrictBool | None = None


class ExpectedCaptureBody(_Body):
    """One capture that is to follow."""

    device: Annotated[str, name()]
    role: CaptureRole


class WeighBody(_Body):
    """A weigh record."""

    match_key: Annotated[str, text(1, 64)]
    lane: Annotated[int, whole(1, 16)]
    direction: Annotated[str, text(1, 16)]
    speed_kmh: Annotated[int, scaled(1000, "0", "300", "km/h")]
    gross_kg: Annotated[int, whole(0, 1_000_000, "kg")]
    axles: Annotated[tuple[AxleBody, ...], Field(min_length=2, max_length=MAX_AXLES)]
    spacings_mm: Annotated[
        tuple[Annotated[int, whole(1, 60_000, "mm")], ...], Field(min_length=1, max_length=MAX_AXLES - 1)
    ]
    length_mm: Annotated[int, whole(1, 120_000, "mm")] | None = None
    acceleration_mm_s2: Annotated[int, whole(-20_000, 20_000, "mm/s2")] | None = None
    temperature_c: Annotated[int, scaled(1000, "-90", "100", "degrees Celsius", offset="273.15")] | None = (
        None
    )
    u_gross_percent: Annotated[int, scaled(10_000, "0.0001", "50", "%")] | None = None
    u_axle_percent: Annotated[int, scaled(10_000, "0.0001", "50", "%")] | None = None
    vehicle: VehicleBody | None = None
    flags: Annotated[tuple[DrivingFlag, ...], Field(max_length=len(DrivingFlag))] | None = None
    captures: Annotated[tuple[ExpectedCaptureBody, ...], Field(max_length=MAX_EXPECTED_CAPTURES)] | None = (
        None
    )


class StatusBody(_Body):
    """A station's live word of itself."""

    state: StationState
    sent_at: Annotated[datetime, MOMENT] | None = None
    spool_messages: Annotated[int, whole(0, 2**31 - 1)] | None = None
    software: Annotated[str, text(0, 100)] | None = None


def weigh_record(body: WeighBody) -> WeighRecord:
    """Return the record in the platform's words.

    Raises
    ------
    InputRefused
        Where fields contradict each other: AXLE_SUM_MISMATCH, FIELD_INVALID.
    """
    loads = [axle.load_kg for axle in body.axles]
    if len(body.spacings_mm) != len(loads) - 1:
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"weigh record: spacings_mm has {len(body.spacings_mm)} elements for {len(loads)} axles; "
            f"send {len(loads) - 1}, front to rear",
        )
    check_axle_sum(body.gross_kg, loads)
    vehicle = body.vehicle or VehicleBody()
    check_drive_axles(vehicle.drive_axles or (), len(loads), what="weigh record")
    return WeighRecord(
        match_key=body.match_key,
        lane=body.lane,
        direction=body.direction,
        speed_m_h=body.speed_kmh,
        gross_kg=body.gross_kg,
        axles=tuple(Axle(load_kg=axle.load_kg, tyres=axle.tyres) for axle in body.axles),
        spacings_mm=body.spacings_mm,
        length_mm=body.length_mm,
        acceleration_mm_s2=body.acceleration_mm_s2,
        temperature_mk=body.temperature_c,
        u_gross_ppm=body.u_gross_percent,
        u_axle_ppm=body.u_axle_percent,
        kind=vehicle.kind,
        drive_axles=vehicle.drive_axles,
        air_suspension=vehicle.air_suspension,
        flags=body.flags or (),
        expected_captures=tuple(
            ExpectedCapture(device=DeviceId(capture.device), role=capture.role)
            for capture in body.captures or ()
        ),
    )


def status(body: StatusBody, station: StationId, device: DeviceId) -> StationStatus:
    """Return the status in the platform's words."""
    return StationStatus(
        station=station,
        device=device,
        state=body.state,
        sent_at=body.sent_at,
        spool_messages=body.spool_messages,
        software=body.software,
    )


def check_axle_sum(gross_kg: int, loads_kg: Sequence[int]) -> None:
    """Refuse a record whose axle loads do not add up to its gross mass (domain.md C7).

    Raises
    ------
    InputRefused
        AXLE_SUM_MISMATCH.
    """
    total = sum(loads_kg)
    if abs(gross_kg - total) * 100 > max(SUM_TOLERANCE_KG * 100, gross_kg * SUM_TOLERANCE_PERCENT):
        raise InputRefused(
            RefusalCode.AXLE_SUM_MISMATCH,
            f"the {len(loads_kg)} axle loads add up to {total} kg, the gross mass is {gross_kg} kg; "
            f"they may differ by {SUM_TOLERANCE_KG} kg or {SUM_TOLERANCE_PERCENT} % of it, whichever is more",
        )


def check_drive_axles(drive_axles: Sequence[int], axle_count: int, *, what: str) -> None:
    """Refuse driven axles that a vehicle of so many axles cannot have.

    Raises
    ------
    InputRefused
        FIELD_INVALID.
    """
    if any(axle > axle_count for axle in drive_axles) or len(set(drive_axles)) != len(drive_axles):
        raise InputRefused(
            RefusalCode.FIELD_INVALID,
            f"{what}: vehicle.drive_axles is {list(drive_axles)}; name each driven axle once, "
            f"1 (front) to {axle_count}",
        )
