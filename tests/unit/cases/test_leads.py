"""What may not become a case, whatever asks for it."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest

from cases.leads import SealedHit, case_id_of, open_lead
from cases.penalty import propose
from domain.casework import CaseState, Lead
from domain.errors import RuleViolation, ServiceUnavailable
from domain.ids import CaseId, DeviceId, EventId, Sha256, SiteId, StationId
from domain.law import tariff
from domain.registry import Announcement, Certificate, LegalBasis, Site, StationContext
from domain.screening import Outcome
from tests.unit.cases.screenings import screening

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DAY = date(2026, 1, 1)
CONTEXT = StationContext(
    station=StationId("S1"),
    device=DeviceId("wim-1"),
    site=Site(
        site_id=SiteId("site-1"),
        name="test",
        road="G1",
        stake="K1",
        direction="up",
        lanes=2,
        gross_limit_kg=None,
        completeness_profile="standard",
        valid_from=DAY,
        valid_to=None,
    ),
    certificate=Certificate(
        number="1",
        device=DeviceId("wim-1"),
        issued_by="x",
        accuracy_class="5",
        mpe_in_service_ppm=50_000,
        min_speed_m_h=0,
        max_speed_m_h=100_000,
        lanes=(1,),
        valid_from=DAY,
        valid_to=date(2027, 1, 1),
    ),
    announcement=Announcement(number="1", published_on=DAY, in_force_from=DAY, in_force_to=None),
    legal_basis=LegalBasis(citation="x", liable_party="owner", valid_from=DAY, valid_to=None),
)
HIT = SealedHit(
    event_id=EventId("e4f5ba4bfa45f6afff20129ad5b12fd2"),
    captured_at=NOW,
    context=CONTEXT,
    screening=screening(5_000),
    plate="云A12345",
    package_folder="EV-e4f5ba4bfa45f6afff20129ad5b12fd2",
    tagmanifest=Sha256("0" * 64),
    missing=(),
    proposal=propose(screening(5_000), tariff(DAY)),
)


@dataclass
class Layer:
    """A layer of a seal."""

    name: str
    ok: bool
    detail: str = ""
    checked: bool = True


@dataclass
class Seal:
    """A verdict on a package."""

    layers: list[Layer]

    @property
    def ok(self) -> bool:
        """Whether all layers hold."""
        return all(layer.ok for layer in self.layers)

    @property
    def broken(self) -> list[str]:
        """What does not hold."""
        return [layer.name for layer in self.layers if layer.checked and not layer.ok]

    @property
    def not_checked(self) -> list[str]:
        """What could not be told."""
        return [layer.name for layer in self.layers if not layer.checked]


HOLDS, BROKEN = Seal([Layer("manifest", True)]), Seal([Layer("manifest", True), Layer("witness", False)])


class Shelf:
    """The part of a case book that opening a lead uses, in memory."""

    def __init__(self) -> None:
        self.leads: dict[str, Lead] = {}
        self.notes: list[str] = []

    async def case_of_event(self, event_id: str) -> CaseId | None:
        """Look a lead up."""
        return self.leads[event_id].case_id if event_id in self.leads else None

    async def insert_lead(self, lead: Lead, *, state: CaseState, at: datetime) -> bool:
        """Keep a lead."""
        assert state is CaseState.AWAITING_FIRST
        self.leads[lead.event_id] = lead
        return True

    async def note(self, case_id: CaseId, *, actor: str, what: str, detail: object, at: datetime) -> None:
        """Keep a line."""
        self.notes.append(what)


async def opened(
    shelf: Shelf, hit: SealedHit, seal: Seal = HOLDS, *, allow_test_profile: bool = False
) -> CaseId:
    """Open a lead."""
    return await open_lead(
        shelf,  # type: ignore[arg-type]
        hit,
        seal=seal,
        now=NOW,
        allow_test_profile=allow_test_profile,
    )


async def test_a_sealed_complete_overload_becomes_one_case_however_often_it_is_opened() -> None:
    shelf = Shelf()
    first = await opened(shelf, HIT)
    # The second time the package is not even looked at: the case is there.
    assert await opened(shelf, HIT, BROKEN) == first == case_id_of(HIT.event_id, NOW)
    assert shelf.notes == ["lead-opened"]
    assert shelf.leads[HIT.event_id].proposal["amount_yuan"] == 2_500


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"screening": screening(0, outcome=Outcome.WITHIN, axle_over_kg=3_000)}, "axle flags"),
        ({"screening": screening(9_000, outcome=Outcome.UNUSABLE)}, "unusable"),
        ({"screening": screening(9_000, outcome=Outcome.STATISTICS_ONLY)}, "statistics"),
        ({"missing": ("no-rear-image",)}, "no-rear-image"),
        ({"context": CONTEXT.model_copy(update={"certificate": None})}, "no-certificate"),
        ({"context": CONTEXT.model_copy(update={"legal_basis": None})}, "no-legal-basis"),
        ({"proposal": None}, "no penalty may be proposed"),
    ],
)
async def test_what_is_unfit_opens_nothing(change: dict[str, object], why: str) -> None:
    shelf = Shelf()
    with pytest.raises(RuleViolation, match=why):
        await opened(shelf, replace(HIT, **change))  # type: ignore[arg-type]
    assert shelf.leads == {}


async def test_a_profile_for_tests_opens_nothing_unless_a_test_asks_for_it() -> None:
    site = CONTEXT.site.model_copy(update={"completeness_profile": "plates-test"})
    hit, shelf = replace(HIT, context=CONTEXT.model_copy(update={"site": site})), Shelf()
    with pytest.raises(RuleViolation, match=r"plates-test.*is for tests only"):
        await opened(shelf, hit)
    assert shelf.leads == {}
    await opened(shelf, hit, allow_test_profile=True)
    assert set(shelf.leads) == {hit.event_id}


async def test_a_package_that_does_not_verify_opens_nothing() -> None:
    shelf = Shelf()
    with pytest.raises(RuleViolation, match="witness"):
        await opened(shelf, HIT, BROKEN)
    assert shelf.leads == {}


async def test_a_package_that_cannot_be_checked_here_waits_and_is_not_told_as_broken() -> None:
    shelf, unknown = Shelf(), Layer("statement-sm2", False, "no openssl knows SM2", checked=False)
    with pytest.raises(ServiceUnavailable, match=r"cannot be checked.*no openssl knows SM2"):
        await opened(shelf, HIT, Seal([Layer("manifest", True), unknown]))
    with pytest.raises(RuleViolation, match=r"does not hold \(\S+: witness\)"):
        await opened(shelf, HIT, Seal([*BROKEN.layers, unknown]))
    assert shelf.leads == {}
