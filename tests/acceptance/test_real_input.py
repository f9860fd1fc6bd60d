"""Real input all the way: photographs from the roadside to cases, and the FHWA's truck weight records."""

import csv
import hashlib
import random
from datetime import date
from math import comb
from pathlib import Path
from typing import Any

import pytest

from domain.ids import DeviceId, SiteId, StationId
from domain.law import limit_tables
from domain.refusals import RefusalCode
from domain.registry import Site, StationContext
from domain.screening import Outcome
from ingest.fhwa import RejectedLine, WRecord, read_w_records, weigh_record
from simulators.truth import read_truth
from tests.acceptance.installation import Installation
from tests.components import shared
from tests.counts import count
from weigh import DecisionRule, screen_records

CROPS = 1_000
MAY_BE_WRONG = 15
"""At least 98.5 % of the 1,000 LPRNet crops are promised exact."""
SAMPLE = count(CROPS, reduced=120)
PHOTOS = 9
PHOTOS_RIGHT = 8
SURE_PPM = 1_000
SEED = 20_261_123


def allowed_errors(sample: int) -> int:
    """Return how many of a sample of the crops may be misread.

    The fewest k such that an engine exactly as good as promised (15 of the 1,000 wrong) would get more
    than k wrong in less than one random sample of a thousand (hypergeometric tail). Of all 1,000: 15.

    >>> allowed_errors(1_000), allowed_errors(120)
    (15, 6)
    """
    ways = comb(CROPS, sample)
    more = ways
    for wrong in range(MAY_BE_WRONG + 1):
        more -= comb(MAY_BE_WRONG, wrong) * comb(CROPS - MAY_BE_WRONG, sample - wrong)
        if more * 1_000_000 < SURE_PPM * ways:
            return wrong
    return MAY_BE_WRONG


def write_manifest(folder: Path, manifest: Path) -> list[dict[str, str]]:
    """Write the manifest of all photographs and a sample of the crops, in a seeded order; return its rows."""
    rows: dict[str, list[dict[str, str]]] = {}
    for name in ("ccpd", "lprnet"):
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows[name] = list(csv.DictReader(file))
    assert (len(rows["ccpd"]), len(rows["lprnet"])) == (PHOTOS, CROPS)
    order = random.Random(SEED)
    chosen = rows["ccpd"] + order.sample(rows["lprnet"], SAMPLE)
    order.shuffle(chosen)
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("file", "plate", "kind"), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(chosen)
    return chosen


@pytest.mark.anyio
@pytest.mark.timeout(2_400)
async def test_real_photographs_become_sealed_cases_with_the_right_plates(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared("plates/dev")
    photographs, events = await _send(installation, folder)
    await installation.settle(events)
    cases = await installation.cases("supervisor")
    assert set(events) <= set(cases), "not every photograph has become a case"

    for event, photograph in zip(events, photographs, strict=True):
        await installation.verify(cases[event])
        sealed = {
            _digest(path) for path in (installation.package(cases[event]) / "data" / "images").iterdir()
        }
        assert sealed == {_digest(folder / photograph["file"])}, (
            "sealed is what the camera sent, nothing else"
        )

    misread: dict[str, list[str]] = {"full": [], "crop": []}
    for event, photograph in zip(events, photographs, strict=True):
        if cases[event]["ocr_plate"] != photograph["plate"]:
            misread[photograph["kind"]].append(
                f"{photograph['file']}: {photograph['plate']} read as {cases[event]['ocr_plate']}"
            )
    with capsys.disabled():
        _tell(misread)
    assert len(misread["crop"]) <= allowed_errors(SAMPLE), misread["crop"]
    assert len(misread["full"]) <= PHOTOS - PHOTOS_RIGHT, misread["full"]


async def _send(installation: Installation, folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Send the photographs as a station does; return them with the events they became, in order."""
    system = installation.system
    manifest, truth = system.folder / "photographs.csv", system.folder / "truth-photographs.jsonl"
    photographs = write_manifest(folder, manifest)
    await installation.simulate(
        *("photos", str(folder), str(manifest), "--port", str(system.settings.broker_port), "--rate", "0"),
        *("--spool", str(system.folder / "spool-photographs"), "--truth", str(truth)),
    )
    sent: dict[str, dict[str, Any]] = read_truth(truth)[0]
    assert [entry["plate"] for entry in sent.values()] == [row["plate"] for row in photographs]
    return photographs, list(sent)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tell(misread: dict[str, list[str]]) -> None:
    crops, photos = SAMPLE - len(misread["crop"]), PHOTOS - len(misread["full"])
    print(
        f"\nend to end: {crops} of {SAMPLE} LPRNet crops exact ({100 * crops / SAMPLE:.2f} %), "
        f"{photos} of {PHOTOS} photographs exact"
    )
    for line in (*misread["full"], *misread["crop"]):
        print(f"    {line}")


def test_the_allowance_for_a_sample_is_the_promise_for_all() -> None:
    assert allowed_errors(CROPS) == MAY_BE_WRONG
    assert allowed_errors(120) == 6


def test_fhwa_records_become_statistics_and_the_wrong_total_is_refused_with_its_reason() -> None:
    """They are years old and of unregistered stations: no way leads from them to a case.

    No table of ours was in force when they were recorded (2012), so they are compared with those of
    the day this was written; only the grouping of their axles is theirs.
    """
    lines = shared("fhwa/w_record_samples.txt").read_text(encoding="ascii").splitlines()
    read = list(read_w_records(lines))
    records = [weigh_record(one) for one in read if isinstance(one, WRecord)]
    screenings = screen_records(
        records,
        [_unregistered(one) for one in read if isinstance(one, WRecord)],
        tables=limit_tables(date(2026, 11, 23)),
        rule=DecisionRule(),
    )
    assert [record.gross_kg for record in records] == [26_257, 8_324]
    assert [screening.vehicle_code for screening in screenings] == ["155", "12"]
    assert {screening.outcome for screening in screenings} == {Outcome.STATISTICS_ONLY}
    assert {screening.reasons for screening in screenings} == {
        ("no-certificate", "no-announcement", "no-legal-basis")
    }
    (refused,) = (one for one in read if isinstance(one, RejectedLine))
    assert (refused.line, refused.code) == (lines[2].rstrip(), RefusalCode.AXLE_SUM_MISMATCH)
    assert "add up to 119189 lb" in refused.detail
    assert "total is 47289 lb" in refused.detail


def _unregistered(record: WRecord) -> StationContext:
    """Return what is known of a foreign station: its name and nothing that is in force."""
    name = f"fhwa-{record.state}-{record.station}"
    return StationContext(
        station=StationId(name),
        device=DeviceId("wim"),
        site=Site(
            site_id=SiteId(name),
            name=name,
            road="",
            stake="",
            direction=record.direction,
            lanes=record.lane,
            gross_limit_kg=None,
            completeness_profile="standard",
            valid_from=date.min,
            valid_to=None,
        ),
        certificate=None,
        announcement=None,
        legal_basis=None,
    )
