"""What officers do with the evidence of a case: deletions, exports, masked copies, corrections."""

import asyncio
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.acts import ActKind
from domain.errors import NotFound, NotPermitted, RuleViolation
from domain.ids import Sha256, sha256_of
from evidence import (
    Trust,
)
from evidence.exported import verify_export
from evidence.exported.folder import ACT_FILE, STATEMENTS, SUMS
from evidence.masked_copies import read_copies
from service.exporting import Desk, correct, export_evidence
from service.history_teller import Places
from service.masking import disclose_masked
from service.officer_at_hand import ActingOfficer, acting_officer
from service.sequencer import sequence
from service.settings import Settings
from store.acts import add_act
from store.outbox import take_log
from store.transactions import transaction_on
from tests.fixtures.life import NOW, Life, disclosure, names_in, overwrite
from tests.fixtures.office import PASSWORD

pytestmark = pytest.mark.anyio


async def _delete(life: Life, names: Sequence[tuple[str, Sha256]]) -> None:
    """Delete package and reviews by an officer's act that names these digests, and log it."""
    act = replace(
        disclosure(life.case),
        act_id="deletion-1",
        kind=ActKind.DELETION,
        reason="retention ended",
        digests=tuple(names),
        made_at=NOW + timedelta(days=1),
    )
    signed = await (await life.office.signing_as("limei"))(act)
    async with transaction_on(life.conn):
        await add_act(life.conn, act, signed)
        token = await take_log(life.conn)
    assert token is not None
    await sequence(life.conn, token, life.office.deployment.log, life.office.deployment.keys)
    await overwrite(life.conn, "review", b"", "true")
    life.case.package.rename(life.case.package.with_name("gone"))


async def test_after_a_deletion_that_names_all_of_it_the_life_still_holds(life: Life) -> None:
    before = (await life.told()).chapters
    await _delete(life, await names_in(life))
    history = await life.told()
    assert history.broken == []
    assert [one.leaf_index for one in history.chapters] == [0, 1, 2, 3, 5, 6, 7, 8]
    kept = [one.envelope_sha256 for one in before if one.leaf_index != 4]
    assert [one.envelope_sha256 for one in history.chapters[:-1]] == kept


@pytest.mark.parametrize(("unnamed", "what"), [(0, "package"), (2, "review")])
async def test_what_is_gone_without_a_deletion_that_names_it_is_named(
    life: Life, unnamed: int, what: str
) -> None:
    names = await names_in(life)
    del names[unnamed]
    await _delete(life, names)
    assert {one.what for one in (await life.told()).broken} - {"removed"} == {what}


def _desk(life: Life, officer: ActingOfficer) -> Desk:
    deployment = life.office.deployment
    places = Places(deployment.evidence, deployment.folder / "log")
    return Desk(life.conn, deployment.trust, places, deployment.keys.service, officer, NOW)


async def _officer(life: Life, username: str = "limei") -> ActingOfficer:
    service = life.office.deployment.keys.service
    async with transaction_on(life.conn):
        return await acting_officer(life.conn, username, PASSWORD, service=service, now=NOW)


def _attack_export(folder: Path, trust: Trust) -> None:
    """Each attack on a statement is told under its name, and not by the sums alone."""
    reviews = sorted((folder / STATEMENTS).glob("*-review.dsse.json"))
    keys = sorted((folder / STATEMENTS).glob("*-officer-key.dsse.json"))
    proof = reviews[0].with_name(reviews[0].name.replace(".dsse.json", ".tlog-proof"))
    altered = reviews[0].read_bytes().replace(b'"sig":"', b'"sig":"A', 1)
    for attacked, becomes, told in (
        (reviews[0], altered, reviews[0]),  # an act altered
        (reviews[0], reviews[1].read_bytes(), reviews[0]),  # another officer's act in its place
        (keys[0], None, reviews[0]),  # an officer-key statement left out
        (keys[0], keys[1].read_bytes(), reviews[0]),  # ... or exchanged
        (proof, None, reviews[0]),  # an act without its log entry
    ):
        kept = attacked.read_bytes()
        attacked.unlink()
        if becomes is not None:
            attacked.write_bytes(becomes)
        *_, report = verify_export(folder, trust)
        assert {SUMS, told.name} <= set(report.broken), (attacked.name, report)
        attacked.write_bytes(kept)
    assert verify_export(folder, trust)[-1].ok


async def test_an_export_is_checked_with_sha256sum_and_named_in_the_history(
    life: Life, tmp_path: Path
) -> None:
    folder = tmp_path / "for the court"
    desk = _desk(life, await _officer(life))
    async with transaction_on(life.conn):
        act = await export_evidence(desk, life.case.case_id, folder, recipient="法院", reason="asked for")
    sums = await asyncio.to_thread(
        subprocess.run, ["sha256sum", "-c", SUMS], cwd=folder, capture_output=True, check=False
    )
    assert (sums.returncode, sums.stderr) == (0, b"")
    assert life.office.deployment.verify(folder / life.case.package.name).ok
    assert {one.name.split("-", 1)[1] for one in (folder / "statements").glob("*.json")} == {
        "captures.dsse.json",
        "officer-key.dsse.json",
        "review.dsse.json",
        "disclosure.dsse.json",
        "correction.dsse.json",
    }
    assert len(list((folder / "statements").glob("*.tlog-proof"))) == 7
    assert {one.stat().st_mode & 0o077 for one in (folder, *folder.rglob("*"))} == {0}
    *_, report = verify_export(folder, life.office.deployment.trust)
    assert report.ok, report
    _attack_export(folder, life.office.deployment.trust)
    assert act.digests[0] == (SUMS, sha256_of((folder / SUMS).read_bytes()))
    assert (folder / "trust.sha256").read_text().strip() == life.office.deployment.trust.digest
    exported = (await life.told()).chapters[-1]
    assert (exported.what, exported.officer, exported.licence) == ("export", "YN-001", "YN5301-001")
    assert exported.envelope_sha256 == sha256_of((folder / ACT_FILE).read_bytes())


async def test_masked_copies_leave_the_house_by_a_logged_disclosure_and_without_an_original(
    life: Life, tmp_path: Path
) -> None:
    folder, desk = tmp_path / "for the party", _desk(life, await _officer(life))
    async with transaction_on(life.conn):
        act = await disclose_masked(
            desk, life.case.case_id, folder, recipient="当事人", reason="asked for", settings=Settings()
        )
    copies = read_copies(folder)
    assert copies.originals == set(life.case.images)
    assert (act.kind, dict(act.digests).items() >= copies.digests.items()) == ("disclosure", True)
    there = [folder, *folder.rglob("*")]
    assert {one.stat().st_mode & 0o777 for one in there} == {0o700, 0o600}
    held = {sha256_of(one.read_bytes()) for one in there if one.is_file()}
    assert not list(folder.glob("EV-*"))
    assert not held & set(life.case.images)
    (report,) = verify_export(folder, life.office.deployment.trust)
    assert report.ok, report
    told = (await life.told()).chapters[-1]
    assert (told.what, told.officer) == ("disclosure", "YN-001")
    assert told.envelope_sha256 == sha256_of((folder / ACT_FILE).read_bytes())


async def test_no_officer_signs_for_evidence_that_does_not_verify(life: Life, tmp_path: Path) -> None:
    image = next((life.case.package / "data" / "images").iterdir())
    image.write_bytes(image.read_bytes()[:-1] + b"?")
    desk = _desk(life, await _officer(life))
    async with transaction_on(life.conn):
        with pytest.raises(RuleViolation, match="does not verify"):
            await export_evidence(
                desk, life.case.case_id, tmp_path / "broken", recipient="法院", reason="asked for"
            )
    assert not (tmp_path / "broken").exists()


async def test_a_correction_names_the_entry_it_corrects_and_changes_nothing(life: Life) -> None:
    before = (await life.told()).chapters
    async with transaction_on(life.conn):
        await correct(_desk(life, await _officer(life)), life.case.case_id, 5, reason="typed in haste")
        with pytest.raises(NotFound, match="entry 2"):
            await correct(_desk(life, await _officer(life)), life.case.case_id, 2, reason="a key")
    history = await life.told()
    assert history.broken == []
    assert history.chapters[:-1] == before
    assert history.chapters[-1].corrects == before[5].envelope_sha256


@pytest.mark.parametrize(
    ("username", "password"), [("limei", "wrong"), ("expired", PASSWORD), ("boss", PASSWORD)]
)
async def test_who_is_no_licensed_officer_or_has_the_wrong_password_exports_nothing(
    life: Life, username: str, password: str
) -> None:
    with pytest.raises(NotPermitted):
        await acting_officer(
            life.conn, username, password, service=life.office.deployment.keys.service, now=NOW
        )
