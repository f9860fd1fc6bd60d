"""A hit's way from its captures to a lead, with every place where it may stop, repeat or be tampered with."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import RuleViolation, ServiceUnavailable
from domain.events import CaptureRole
from domain.law import tariff
from evidence import HttpAuthority, PackageContents, Policy, sealed_event, verify_package
from service import pipeline
from service.pipeline import complete, settle
from service.steps import contents
from store.drift import Watched, keep_drift
from store.hits import HitState, lock_hit
from store.originals import originals_logged
from store.packages import PackageState
from store.registry import local_day
from store.transactions import transaction
from tests.fixtures.bench import EVENT, EXPECTED, ROLES, AbsentAuthority, Bench, images_of, overdue
from tests.fixtures.noting_signer import NotingSigner
from tests.integration.store.messages import SCALE, STATION, T0, capture, passage

pytestmark = pytest.mark.anyio


async def test_a_complete_hit_becomes_one_package_and_one_lead_however_often_its_jobs_run(
    bench: Bench,
) -> None:
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    await complete(bench.shop, EVENT)
    await settle(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    assert package.state is PackageState.COMPLETE
    assert verify_package(bench.shop.evidence_root / package.folder, bench.shop.seals.trust).ok
    assert (await bench.state(), await bench.cases(), bench.engine.images) == (HitState.OPEN, 1, 3)


async def test_a_profile_for_tests_makes_no_case_of_a_real_hit(bench: Bench) -> None:
    await bench.arrive(passage(1, expected=EXPECTED), *images_of(*ROLES))
    real = bench.shop._replace(test_profiles=False)
    await bench.log()
    await settle(real, EVENT)
    await bench.log()
    with pytest.raises(RuleViolation, match="is for tests only"):
        await complete(real, EVENT)
    assert (await bench.state(), await bench.cases()) == (HitState.SEALED, 0)


async def test_a_lane_found_to_drift_meanwhile_makes_no_case_of_its_hits(bench: Bench) -> None:
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    async with transaction(bench.shop.pool) as conn:
        await keep_drift(conn, Watched(STATION, SCALE, 1, "certificate:C-2026-1"), {}, alarm_since=T0)
    await complete(bench.shop, EVENT)
    await complete(bench.shop, EVENT)
    async with transaction(bench.shop.pool) as conn:
        hit = await lock_hit(conn, EVENT)
    assert (hit.state, hit.missing) == (HitState.INCOMPLETE, ("drift-alarm",))
    assert await bench.cases() == 0


async def test_a_slow_token_never_stops_the_loop_of_worker_and_sequencer(bench: Bench) -> None:
    seals = bench.shop.seals
    signer = NotingSigner(seals.keys.service)
    bench.shop = bench.shop._replace(seals=seals._replace(keys=seals.keys._replace(service=signer)))
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    stated = set(signer.threads)
    await settle(bench.shop, EVENT)
    assert stated
    assert threading.current_thread() not in signer.threads


async def test_a_package_without_device_signatures_is_no_case_where_the_policy_asks_for_them(
    bench: Bench,
) -> None:
    asking = bench.shop.seals._replace(policy=Policy(require_device_signature=True))
    bench.shop = bench.shop._replace(seals=asking)
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    await complete(bench.shop, EVENT)
    async with transaction(bench.shop.pool) as conn:
        hit = await lock_hit(conn, EVENT)
    assert (hit.state, hit.missing) == (HitState.INCOMPLETE, ("policy-device",))
    assert await bench.cases() == 0


async def test_a_hit_that_still_waits_is_left_alone(bench: Bench) -> None:
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(CaptureRole.FRONT))
    await settle(bench.shop, EVENT)
    assert (await bench.state(), bench.engine.images) == (HitState.WAITING, 0)


async def test_nothing_is_read_before_the_originals_are_in_the_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "STATEMENT_WITHIN_S", 0.0)
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    with pytest.raises(ServiceUnavailable, match="not in the log"):
        await settle(bench.shop, EVENT)
    assert bench.engine.images == 0
    await bench.log()
    await settle(bench.shop, EVENT)
    assert bench.engine.images == 3


async def test_one_picture_under_three_roles_is_one_picture(bench: Bench) -> None:
    same = [capture(1, device=f"cam-{role.value}", role=role, image=b"the same") for role in ROLES]
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *same)
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    assert list(package.missing) == ["no-rear-image", "no-side-image", "too-few-images"]
    assert (await bench.state(), await bench.cases()) == (HitState.INCOMPLETE, 0)


@pytest.mark.parametrize("roles", [(), (CaptureRole.FRONT,)])
async def test_incomplete_evidence_is_sealed_and_never_a_case(
    bench: Bench, roles: tuple[CaptureRole, ...]
) -> None:
    await bench.arrive(overdue(passage(1, expected=EXPECTED, profile="standard")), *images_of(*roles))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    assert "no-rear-image" in package.missing
    assert verify_package(bench.shop.evidence_root / package.folder, bench.shop.seals.trust).ok
    assert (await bench.state(), await bench.cases()) == (HitState.INCOMPLETE, 0)


async def test_a_profile_that_wants_motion_waits_for_the_second_image(bench: Bench) -> None:
    """All roles are there, but a hit settled now would lack the second image for good."""
    await bench.arrive(passage(1, expected=EXPECTED, profile="full"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    assert await bench.state() is HitState.WAITING
    await bench.arrive(capture(1, device="cam-second", at=T0 + timedelta(seconds=3)))
    await bench.log()
    await settle(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    assert (package.passed, package.missing) == (True, [])


async def test_a_clip_is_sealed_as_it_came_and_stands_for_a_second_image(bench: Bench) -> None:
    clip = capture(1, device="cam-clip", role=CaptureRole.CLIP, image=b"a clip, never decoded")
    await bench.arrive(passage(1, expected=EXPECTED, profile="full"), *images_of(*ROLES), clip)
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    folder = bench.shop.evidence_root / package.folder
    assert (folder / "data/video/01-clip.mp4").read_bytes() == b"a clip, never decoded"
    assert len(list((folder / "data/images").iterdir())) == 3
    event = json.loads((folder / "data/event.json").read_bytes())
    assert [entry["path"] for entry in event["originals"]["video"]] == ["data/video/01-clip.mp4"]
    assert verify_package(folder, bench.shop.seals.trust).ok
    assert (await bench.state(), await bench.cases(), bench.engine.images) == (HitState.OPEN, 1, 3)


async def test_images_that_cannot_be_decoded_are_sealed_and_shown_as_such(bench: Bench) -> None:
    """The cameras of these tests send noise: the composite is made all the same."""
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    folder = bench.shop.evidence_root / package.folder
    event = json.loads((folder / "data/event.json").read_bytes())
    assert [view["path"] for view in event["derived"]] == ["data/derived/composite.jpg"]
    assert (folder / "data/derived/composite.jpg").read_bytes()[:2] == b"\xff\xd8"


async def test_the_package_says_what_was_required_of_it(bench: Bench) -> None:
    await bench.arrive(overdue(passage(1, expected=EXPECTED, profile="full")), *images_of(*ROLES[:2]))
    await bench.log()
    await settle(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    event = json.loads((bench.shop.evidence_root / package.folder / "data/event.json").read_bytes())
    said = event["completeness"]
    assert (said["profile"], said["complete"]) == ("full", False)
    assert said["missing"] == package.missing
    assert said["requires"]["roles"] == ["front", "rear", "side"]
    assert said["requires"]["motion"] == "clip-or-second-image"


async def test_the_case_shows_the_penalty_that_was_sealed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though another tariff is found by the time the case is opened."""
    dearer = tariff(local_day(T0)).model_copy(update={"step_yuan": 700, "cap_yuan": 90_000})
    monkeypatch.setattr(contents, "tariff", lambda _day: dearer)
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    monkeypatch.undo()
    await bench.log()
    await complete(bench.shop, EVENT)
    async with transaction(bench.shop.pool) as conn:
        row = await (await conn.execute("SELECT proposal FROM case_file")).fetchone()
    package = await bench.package()
    assert package is not None
    assert row is not None
    assert row[0] == sealed_event(bench.shop.evidence_root / package.folder)["proposal"]
    assert row[0]["amount_yuan"] == 6 * 700


async def test_a_package_sealed_before_the_upgrade_opens_its_case_with_a_proposal_told_as_unsealed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = contents.contents_of

    def as_sealed_then(*given: Any) -> PackageContents:
        made = present(*given)
        later = ("proposal", "software")
        return replace(made, event={name: value for name, value in made.event.items() if name not in later})

    monkeypatch.setattr("service.steps.seal.contents_of", as_sealed_then)
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    assert (await bench.state(), await bench.cases()) == (HitState.OPEN, 1)
    async with transaction(bench.shop.pool) as conn:
        row = await (await conn.execute("SELECT proposal, detail FROM case_file, case_event")).fetchone()
    assert row is not None
    assert row[0]["amount_yuan"] == 6 * 500
    assert "未随证据封存" in row[0]["reservation"]["zh"]
    assert row[1]["proposal"] == "computed when the case was opened"


@pytest.mark.parametrize("fact", ["certificate", "announcement", "legal_basis"])
async def test_a_hit_of_a_day_without_what_must_be_in_force_is_sealed_and_never_a_case(
    bench: Bench, fact: str
) -> None:
    """Screening makes such a passage statistics only; flagged all the same, the gate would hold it."""
    flagged = passage(1, expected=EXPECTED, profile="standard")
    lapsed = replace(flagged, context=flagged.context.model_copy(update={fact: None}))
    await bench.arrive(lapsed, *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    assert package.missing == [f"no-{fact.replace('_', '-')}"]
    assert (await bench.state(), await bench.cases()) == (HitState.INCOMPLETE, 0)


async def test_an_absent_time_authority_holds_the_package_until_it_answers(bench: Bench) -> None:
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    absent = bench.shop._replace(seals=bench.shop.seals._replace(authority=AbsentAuthority()))
    with pytest.raises(ServiceUnavailable):
        await settle(absent, EVENT)
    package = await bench.package()
    assert package is not None
    assert package.state is PackageState.AWAITING_TIME
    await complete_refused(bench)
    await settle(bench.shop, EVENT)
    await bench.log()
    await complete(bench.shop, EVENT)
    assert (await bench.state(), bench.engine.images) == (HitState.OPEN, 3)


async def test_in_an_outage_captures_are_stated_and_no_other_clock_stands_in(bench: Bench) -> None:
    """The configured authority is away: what is logged has no token, and nothing can be decided on."""
    nobody = HttpAuthority("http://127.0.0.1:1/", timeout_s=1.0)
    outage = bench.shop._replace(seals=bench.shop.seals._replace(authority=nobody))
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    for _ in range(3):
        with pytest.raises(ServiceUnavailable):
            await settle(outage, EVENT)
        await bench.log()
        await complete_refused(bench)
    async with transaction(bench.shop.pool) as conn:
        assert await originals_logged(conn, EVENT)
        kinds = await (await conn.execute("SELECT DISTINCT kind FROM log_outbox")).fetchall()
    package = await bench.package()
    assert package is not None
    assert (package.state, package.token, package.leaf) == (PackageState.AWAITING_TIME, None, None)
    assert kinds == [("capture",)]
    assert not (bench.shop.evidence_root / package.folder / "seal").exists()


async def complete_refused(bench: Bench) -> None:
    """Check that a package without time stamp and log entry cannot be completed."""
    with pytest.raises(RuleViolation):
        await complete(bench.shop, EVENT)
    assert await bench.cases() == 0


async def test_a_capture_after_the_reading_does_not_change_the_package(bench: Bench) -> None:
    await bench.arrive(overdue(passage(1, expected=EXPECTED, profile="standard")), *images_of(*ROLES[:2]))
    await bench.log()
    in_the_way = bench.shop.evidence_root.parent / "file"
    in_the_way.write_text("")
    with pytest.raises(OSError, match="file"):
        await settle(bench.shop._replace(evidence_root=in_the_way / "evidence"), EVENT)
    await bench.arrive(*images_of(CaptureRole.SIDE))
    await settle(bench.shop, EVENT)
    package = await bench.package()
    assert package is not None
    assert package.missing == ["no-side-image", "too-few-images"]
    images = sorted(
        path.name for path in (bench.shop.evidence_root / package.folder / "data/images").iterdir()
    )
    assert images == ["01-front.jpg", "02-rear.jpg"]


async def test_a_package_tampered_with_before_it_is_read_back_opens_no_case(bench: Bench) -> None:
    await bench.arrive(passage(1, expected=EXPECTED, profile="standard"), *images_of(*ROLES))
    await bench.log()
    await settle(bench.shop, EVENT)
    await bench.log()
    package = await bench.package()
    assert package is not None
    image = bench.shop.evidence_root / package.folder / "data/images/01-front.jpg"
    image.write_bytes(image.read_bytes()[:-1] + b"\0")
    with pytest.raises(RuleViolation, match="does not verify"):
        await complete(bench.shop, EVENT)
    assert (await bench.state(), await bench.cases()) == (HitState.SEALED, 0)
