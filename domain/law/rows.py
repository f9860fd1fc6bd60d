"""The shapes of a row of law: what it sets, where that is written, from when, and how sure we are.

Confidence follows the marks of the domain specification: a row is only as good as the text it was
read in. A row marked M (from memory) never lowers a gross limit until the deployment confirmed it.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.events import Tyres
from domain.ids import Sha256


class Confidence(StrEnum):
    """How sure a figure is."""

    VERIFIED = "V"  # read in the statute itself
    SECONDARY = "S"  # read in a secondary copy
    DERIVED = "D"  # follows from such texts
    MEMORY = "M"  # not found: needs confirming


class LawRow(BaseModel):
    """What every row carries, whatever it sets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    clause: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    confidence: Confidence
    effective_from: date
    effective_from_confidence: Confidence
    effective_to: date | None = None
    """Last day in force; None while no end is known."""
    note: str = ""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "LawRow":
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError(f"row {self.id} ends on {self.effective_to}, before {self.effective_from}")
        return self

    def in_force(self, on: date) -> bool:
        """Whether the row applies to an act of this day."""
        return self.effective_from <= on and (self.effective_to is None or on <= self.effective_to)


class GrossRow(LawRow):
    """A gross-mass limit by configuration (Order 62 Art. 3 para. 1)."""

    kind: Literal["truck", "train"]
    axles: Annotated[int, Field(ge=2, le=16)]
    and_more: bool = False
    """The row also covers every greater number of axles."""
    single_drive: bool = False
    """The row is for a tractor whose drive axle is single."""
    limit_kg: Annotated[int, Field(gt=0)]


class RuleRole(StrEnum):
    """What a rule about reading the table does; `weigh` applies each where its conditions hold."""

    SINGLE_TYRE = "single-tyre"
    AIR_TRUCK = "air-truck"
    AIR_ARTICULATED = "air-articulated"
    AXLE_SUM = "axle-sum"


class RuleRow(LawRow):
    """A rule that changes the figure of a gross row (Order 62 Art. 3 para. 2, notes of the 2016 table)."""

    role: RuleRole
    amount_kg: int
    """By how much the limit changes each time the rule applies; negative lowers it."""


class AxleRow(LawRow):
    """A limit for one axle or one group of two or three (GB 1589 Table 2)."""

    axles: Annotated[int, Field(ge=1, le=3)]
    tyres: Literal[Tyres.SINGLE_UNDER_425_MM, Tyres.WIDE, Tyres.DUAL] | None = None
    """Tyres every axle of the group must have; None where the row does not ask."""
    drive: bool = False
    """The row is for driven axles only."""
    air: bool = False
    """The row is for air suspension only."""
    trailer: bool | None = None
    spacing_min_mm: Annotated[int, Field(ge=0)] = 0
    spacing_max_mm: Annotated[int, Field(ge=0)] | None = None
    limit_kg: Annotated[int, Field(gt=0)]


class TariffRow(LawRow):
    """Warning and fine by excess mass (Order 62 Art. 43)."""

    warning_up_to_kg: Annotated[int, Field(ge=0)]
    step_kg: Annotated[int, Field(gt=0)]
    step_yuan: Annotated[int, Field(gt=0)]
    cap_yuan: Annotated[int, Field(gt=0)]
    remainder: Literal["floor", "ceil"]
    """What becomes of an excess that is no full step; the text is silent, "floor" favours the party."""
    remainder_confidence: Confidence


class Tariff(TariffRow):
    """The tariff row in force on one day, with the table it stands in."""

    table: str
    digest: Sha256
    """SHA-256 of the table's TOML bytes."""
