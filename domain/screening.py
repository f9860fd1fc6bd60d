"""What the screening of one passage concluded, with every input and step that led there.

A screening is stored with the passage, sealed into the evidence package and shown to the reviewer
and the driver: nothing in it may need anything else to be understood.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from domain.events import Tyres
from domain.units import PPM


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


SITE_ROW = "site-limit"
"""Row of the step that lowers a limit to the site's own (bridge or road sign, Order 62 Art. 27)."""


class Outcome(StrEnum):
    """What may happen to a passage."""

    WITHIN = "within"
    """Not over its gross limit once deduction and guard band are taken off."""
    OVERLOADED = "overloaded"
    """Over its gross limit by the adjudged mass: a lead, if the evidence is complete."""
    UNUSABLE = "unusable"
    """The weighing cannot be relied on (domain.md C7 kinds of reasons); never a case."""
    STATISTICS_ONLY = "statistics-only"
    """Weighed where or when no case may rest on it (certificate, announcement, legal basis, place, clock)."""


class Formula(StrEnum):
    """How the legal tolerance is taken off the measured mass m; MPE is the certificate's, in service."""

    DEDUCT = "deduct"  # m (1 - MPE)
    BOUND = "bound"  # m / (1 + MPE)
    LIMIT = "limit"  # m against L (1 + t), excess counted from L (1 + t)


class LimitStep(_Model):
    """One step of how a limit was reached, in the order applied."""

    row: str
    """Id of the row in the law table, e.g. "order62-3-train-6", or `SITE_ROW`."""
    clause: str
    amount_kg: int
    """The figure this step sets, or by which it changes the limit (negative: lowers)."""
    running_kg: int
    """The limit after this step."""
    note: str


class AxleGroup(_Model):
    """Neighbouring axles judged together."""

    first_axle: int
    """1-based number of the group's first axle."""
    axle_count: int
    tyres: tuple[Tyres, ...]
    code: str
    """Axle-group code of the 7-code scheme ("1", "2", "5", "7" ...)."""
    steering_pair: bool
    spacings_mm: tuple[int, ...]
    load_kg: int
    limit_kg: int
    limit_row: str
    over_kg: int
    """Excess of the adjudged group load; a flag only, never a case by itself."""


class Adjudication(_Model):
    """The masses that decide, and everything they were computed from."""

    measured_gross_kg: int
    formula: Formula
    mpe_ppm: int
    u_gross_ppm: int
    guard_k_milli: int
    """Guard factor k times 1000."""
    after_deduction_kg: int
    after_guard_kg: int
    adjudged_kg: int
    """The smaller of the two: the one that favours the party."""
    limit_kg: int
    over_kg: int
    """max(0, adjudged - limit)."""
    over_ppm: int
    """over_kg relative to limit_kg, in parts per million, rounded down."""


class RuleFigures(_Model):
    """The deployment's own figures by which a flagged passage was judged: with them it is judged again."""

    formula: Formula
    guard_k_milli: Annotated[int, Field(ge=0, le=1_000_000)]
    default_u_gross_ppm: Annotated[int, Field(ge=0, lt=PPM)]
    default_u_axle_ppm: Annotated[int, Field(ge=0, lt=PPM)]
    mpe_without_certificate_ppm: Annotated[int, Field(ge=0, lt=PPM)]
    confirmed_rows: tuple[str, ...]
    """Ids of law-table rows that the deployment's lawyers confirmed, sorted."""
    clock_bound_ms: Annotated[int, Field(ge=0, le=1_000_000_000)]
    """How far off a station's clock may be before its passages are statistics only."""
    calibration_max_age_days: Annotated[int, Field(ge=0, le=1_000_000)]
    """Age from which a calibration makes statistics only."""


class Screening(_Model):
    """The whole result for one passage."""

    outcome: Outcome
    vehicle_code: str
    """Axle-group codes front to back: 15, 112, 115, 125, 127, 155, 157, 1127 ..."""
    taken_as: str
    """"truck" or "train": the reading the limit was looked up with."""
    groups: tuple[AxleGroup, ...]
    limit_steps: tuple[LimitStep, ...]
    adjudication: Adjudication
    doubts: tuple[str, ...]
    """Codes of what could not be known, each resolved to the party's favour."""
    reasons: tuple[str, ...]
    """Codes of why the weighing is unusable or statistics only; empty otherwise."""
    axle_flags: tuple[int, ...]
    """1-based first axles of groups over their axle-group limit."""
    algorithm: str
    """Name and version of the screening algorithm."""
    tables: dict[str, str]
    """SHA-256 of every law table used, by table name."""
    rule: RuleFigures | None = None
    """Kept with a flagged passage, which may become evidence; None otherwise."""
