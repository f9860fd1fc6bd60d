"""An export is checked from its files alone: who signed what, and what nobody can tell yet."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from domain.acts import Act, ActKind
from domain.ids import EventId, OfficerId, Sha256, sha256_of
from evidence import Trust, leaf_hash, statement_leaf, trust_bytes, trust_file
from evidence.acts import sign_act, sign_officer_key, sign_officer_key_end
from evidence.dsse import Envelope, sign_envelope
from evidence.exported import verify_export
from evidence.exported.folder import ACT_FILE, STATEMENTS, SUMS
from evidence.masked_copies import COPIES, LIST, MaskedCopy, write_copies
from evidence.officer_keys import OfficerKey
from evidence.package import DerivedItem
from evidence.parsing import canonical_json
from evidence.report import NOT_CHECKED, NOT_VERIFIED, VERIFIED, Report
from evidence.statements import sign_capture_statement, sign_decision
from service.cli import main
from tests.fixtures.evidence import Deployment, contents, event_number, originals_of

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
LI, WANG = (OfficerKey.generate(OfficerId(one)) for one in ("YN-001", "YN-002"))


class Export(NamedTuple):
    """A folder that is handed over, and who made it."""

    deployment: Deployment
    folder: Path
    act: Act

    def report(self) -> Report:
        """Return the export's own report."""
        return verify_export(self.folder, self.deployment.trust)[-1]

    def detail(self, layer: str) -> str:
        """Return what is said of a layer."""
        return next(one.detail for one in self.report().layers if one.name == layer)

    def add(self, what: str, envelope: bytes, *, logged: bool = True) -> str:
        """Put a statement into the folder, with its entry in the log or waiting for one."""
        log, place = self.deployment.log, "waiting-0"
        if logged:
            place = f"{log.size:09d}"
            log.append([leaf_hash(statement_leaf(envelope))])
            proof = log.inclusion_proof(log.size - 1)
            (self.folder / STATEMENTS / f"{place}-{what}.tlog-proof").write_bytes(proof)
        name = f"{place}-{what}.dsse.json"
        (self.folder / STATEMENTS / name).write_bytes(envelope)
        return name

    def add_key(self, key: OfficerKey, *, logged: bool = True) -> str:
        """Put the statement that gives an officer their key into the folder."""
        return self.add(
            "officer-key", sign_officer_key(key, self.deployment.keys.service, at=NOW), logged=logged
        )

    def add_package(self, package: Path) -> "Export":
        """Put a sealed package into the folder, to be named by the act."""
        shutil.copytree(package, self.folder / package.name)
        manifest = f"{package.name}/tagmanifest-sha256.txt"
        named = (manifest, sha256_of((self.folder / manifest).read_bytes()))
        return self._replace(act=replace(self.act, digests=(*self.act.digests, named)))

    def hand_over(self, key: OfficerKey = LI, *, kind: ActKind = ActKind.EXPORT) -> "Export":
        """Sign for what lies in the folder now."""
        files = sorted(one for one in self.folder.rglob("*") if one.is_file())
        lines = [
            f"{sha256_of(one.read_bytes())}  {one.relative_to(self.folder)}\n"
            for one in files
            if one.name not in (SUMS, ACT_FILE)
        ]
        (self.folder / SUMS).write_text("".join(lines))
        act = replace(
            self.act,
            kind=kind,
            digests=((SUMS, sha256_of("".join(lines).encode())), *self.act.digests[1:]),
            detail={"recipient": "法院"},
        )
        signed = sign_act(act, key, self.deployment.keys.service)
        (self.folder / ACT_FILE).write_bytes(signed.envelope)
        return self


@pytest.fixture
def export(deployment: Deployment, tmp_path: Path) -> Export:
    """One package with what is needed to hand it over, not signed for yet."""
    return exported(deployment, tmp_path / "export", originals_of(contents(5)))


def exported(deployment: Deployment, folder: Path, named: dict[EventId, Sha256]) -> Export:
    """Log what arrived, seal a package after it, and return both as `export`."""
    (folder / STATEMENTS).mkdir(parents=True)
    act = Act(
        act_id="act-1",
        kind=ActKind.REVIEW,
        officer=LI.officer,
        licence="YN5301-001",
        event=EventId(contents(5).event_id),
        subject=f"EV-{contents(5).event_id}",
        reason="confirmed",
        digests=(("weighing", sha256_of(b"")),),
        made_at=NOW,
    )
    made = Export(deployment, folder, act)
    if named:
        made.add("captures", sign_capture_statement(list(named.items()), deployment.keys.service, NOW))
    return made.add_package(deployment.seal(contents(5)))


ORIGINAL = contents(5).images[0].sha256
COPY = MaskedCopy(DerivedItem("01-rear-masked.jpg", b"copy", (ORIGINAL,), "zhichao-mask/1"))


@pytest.fixture
def masked(export: Export, tmp_path: Path) -> Export:
    """Masked copies of the package's one image, with what fixed the original, handed over."""
    folder = tmp_path / "copies"
    manifest = export.act.digests[1]
    write_copies(folder, export.act.subject, manifest[1], [COPY])
    (folder / STATEMENTS).mkdir()
    digests = (*export.act.digests, (f"{COPIES}/{COPY.view.name}", sha256_of(COPY.view.data)))
    made = export._replace(folder=folder, act=replace(export.act, digests=digests))
    made.add_key(LI)
    service = export.deployment.keys.service
    made.add("captures", sign_capture_statement(list(originals_of(contents(5)).items()), service, NOW))
    return made.hand_over(kind=ActKind.DISCLOSURE)


def test_masked_copies_are_verified_and_said_to_be_no_package(masked: Export) -> None:
    (report,) = verify_export(masked.folder, masked.deployment.trust)
    assert report.status == VERIFIED, report
    assert "no package and no original" in masked.detail(COPIES)
    assert "cannot be told without the package" in masked.detail(COPIES)


def test_an_exchanged_copy_is_broken_even_where_the_list_and_the_sums_agree(masked: Export) -> None:
    other = COPY._replace(view=COPY.view._replace(data=b"another"))
    shutil.rmtree(masked.folder / COPIES)
    (masked.folder / COPIES).mkdir()
    (masked.folder / COPIES / other.view.name).write_bytes(b"another")
    assert set(masked.report().broken) >= {SUMS, COPIES}
    listed = json.loads((masked.folder / LIST).read_bytes())
    listed["copies"][0]["sha256"] = sha256_of(b"another")
    (masked.folder / LIST).write_bytes(canonical_json(listed))
    masked.hand_over(kind=ActKind.DISCLOSURE)  # of the former digest
    assert masked.report().broken == (ACT_FILE,)


def test_masked_copies_handed_over_as_an_export_of_the_originals_are_broken(masked: Export) -> None:
    assert masked.hand_over(kind=ActKind.EXPORT).report().broken == (ACT_FILE,)


def test_copies_of_originals_that_no_logged_statement_fixed_are_not_checked(masked: Export) -> None:
    for file in (masked.folder / STATEMENTS).glob("*-captures.*"):
        file.unlink()
    report = masked.hand_over(kind=ActKind.DISCLOSURE).report()
    assert (report.broken, report.not_checked) == ((), ("originals",))


def test_copies_of_originals_that_only_a_waiting_statement_names_are_not_checked(masked: Export) -> None:
    for file in (masked.folder / STATEMENTS).glob("*-captures.*"):
        file.unlink()
    service, named = masked.deployment.keys.service, list(originals_of(contents(5)).items())
    waiting = masked.add("captures", sign_capture_statement(named, service, NOW), logged=False)
    report = masked.hand_over(kind=ActKind.DISCLOSURE).report()
    assert (report.broken, set(report.not_checked)) == ((), {"originals", waiting})


def test_a_copy_that_is_listed_twice_is_broken(masked: Export) -> None:
    listed = json.loads((masked.folder / LIST).read_bytes())
    listed["copies"] *= 2
    (masked.folder / LIST).write_bytes(canonical_json(listed))
    assert COPIES in masked.hand_over(kind=ActKind.DISCLOSURE).report().broken


@pytest.mark.parametrize("part", ["services", "logs", "witnesses"])
def test_statements_witnessed_after_a_keys_revocation_are_broken(export: Export, part: str) -> None:
    name = export.add_key(LI)
    document: dict[str, Any] = trust_file(export.deployment.keys)
    (entry,) = document[part]
    entry = {"key": entry} if isinstance(entry, str) else entry
    document[part] = [entry | {"revoked_at": "2026-03-20T08:30:00Z"}]
    report = verify_export(export.hand_over().folder, Trust.parse(trust_bytes(document)))[-1]
    assert {name, ACT_FILE} <= set(report.broken)


def test_a_key_whose_statement_is_not_proved_to_be_in_the_log_signs_nothing(export: Export) -> None:
    proof = export.folder / STATEMENTS / export.add_key(LI).replace(".dsse.json", ".tlog-proof")
    name = export.add("review", sign_act(export.act, LI, export.deployment.keys.service).envelope)
    proof.unlink()
    assert {name, ACT_FILE} <= set(export.hand_over().report().broken)


def test_a_statement_under_another_place_than_its_own_is_broken(export: Export) -> None:
    """The order of entries says whose key counted when; a file's name is nobody's signature."""
    export.add_key(LI)
    name = export.add("review", sign_act(export.act, LI, export.deployment.keys.service).envelope)
    for file in (export.folder / STATEMENTS).glob("*-review.*"):
        file.rename(file.with_name(f"000000009{file.name[9:]}"))
    assert export.hand_over().report().broken == (f"000000009{name[9:]}",)


def resigned(envelope: bytes, key: OfficerKey, deployment: Deployment) -> bytes:
    """Sign the very same words with another officer's key."""
    return sign_envelope(Envelope.parse(envelope).statement, key, deployment.keys.service)


def test_an_untouched_export_is_verified(export: Export) -> None:
    export.add_key(LI)
    export.add("review", sign_act(export.act, LI, export.deployment.keys.service).envelope)
    assert export.hand_over().report().status == VERIFIED
    assert "handed over by officer YN-001 to 法院" in export.detail(ACT_FILE)


def another_signature(envelope: bytes) -> bytes:
    """Change the officer's signature to another of the right form."""
    at = envelope.index(b'"sig":"') + len(b'"sig":"')
    return envelope[:at] + (b"B" if envelope[at : at + 1] == b"A" else b"A") + envelope[at + 1 :]


@pytest.mark.parametrize(
    "altered",
    [
        another_signature,
        lambda envelope: envelope.replace(b'"payload":"', b'"payload":"AAAA', 1),
        lambda _: b"{}",
        lambda _: b"",
    ],
)
def test_an_altered_act_of_handing_over_is_broken(export: Export, altered: Callable[[bytes], bytes]) -> None:
    export.add_key(LI)
    file = export.hand_over().folder / ACT_FILE
    file.write_bytes(altered(file.read_bytes()))
    assert export.report().broken == (ACT_FILE,)


def test_a_key_that_had_ended_hands_over_nothing(export: Export) -> None:
    service = export.deployment.keys.service
    export.add_key(LI)
    ended = sign_officer_key_end(LI.key_id, LI.officer, service, at=NOW, reason="lost")
    export.add("officer-key-end", ended)
    assert export.hand_over().report().broken == (ACT_FILE,)
    assert "the key of officer YN-001 had ended, at entry 3" in export.detail(ACT_FILE)


def test_an_act_of_another_passage_hands_these_files_over_to_nobody(export: Export) -> None:
    export.add_key(LI)
    other = export._replace(act=replace(export.act, event=event_number(6)))
    assert other.hand_over().report().broken == (ACT_FILE,)
    assert "handed over another passage" in other.detail(ACT_FILE)


def test_the_same_act_signed_again_with_another_officers_key_is_broken(export: Export) -> None:
    service = export.deployment.keys.service
    export.add_key(LI)
    export.add_key(WANG)
    act = sign_act(export.act, LI, service).envelope
    review = export.add("review", resigned(act, WANG, export.deployment))
    file = export.hand_over().folder / ACT_FILE
    file.write_bytes(resigned(file.read_bytes(), WANG, export.deployment))
    assert export.report().broken == (review, ACT_FILE)
    assert "signed by the key of officer YN-002, not of officer YN-001" in export.detail(review)


def test_statements_that_wait_for_the_log_are_not_checked_and_never_broken(export: Export) -> None:
    export.add_key(LI)
    signed = sign_act(export.act, LI, export.deployment.keys.service)
    waiting = export.add("review", signed.envelope, logged=False)
    report = export.hand_over().report()
    assert (report.status, report.not_checked, report.broken) == (NOT_CHECKED, (waiting,), ())
    assert "ask for a newer export" in export.detail(waiting)


def test_acts_of_an_officer_whose_key_waits_for_the_log_are_not_checked_and_never_broken(
    export: Export,
) -> None:
    key = export.add_key(LI, logged=False)
    report = export.hand_over().report()
    assert (report.broken, set(report.not_checked)) == ((), {key, ACT_FILE})
    file = export.folder / ACT_FILE
    file.write_bytes(another_signature(file.read_bytes()))
    assert export.report().broken == (ACT_FILE,), "what is forged is broken, whatever waits"


def verify(*arguments: object) -> Result:
    """Run `zhichao evidence verify`."""
    return CliRunner().invoke(main, ["evidence", "verify", *map(str, arguments)])


def test_the_command_verifies_an_export_for_people_and_for_programs(export: Export, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    trust.write_bytes(trust_bytes(trust_file(export.deployment.keys)))
    export.add_key(LI)
    package = next(export.folder.glob("EV-*"))
    told = verify(export.hand_over().folder, "--trust", trust)
    assert told.exit_code == 0, told.output
    assert f"holds   {ACT_FILE}" in told.output
    assert told.output.count("VERIFIED: every required layer holds") == 2
    result = verify(export.folder, "--trust", trust, "--json")
    one, own = map(json.loads, result.output.splitlines())
    assert [(it["package"], it["status"]) for it in (one, own)] == [
        (package.name, "verified"),
        ("export", "verified"),
    ]
    assert [layer["name"] for layer in own["layers"] if not layer["checked"]] == ["history.json"]
    export.add("review", sign_act(export.act, LI, export.deployment.keys.service).envelope, logged=False)
    result = verify(export.hand_over().folder, "--trust", trust, "--json")
    assert (result.exit_code, json.loads(result.output.splitlines()[-1])["status"]) == (2, "not-checked")
    (export.folder / ACT_FILE).write_bytes(b"{}")
    assert verify(export.folder, "--trust", trust).exit_code == NOT_VERIFIED


def _access(export: Export) -> bytes:
    """Sign an access of an officer by the service alone, as it lawfully does."""
    act = replace(export.act, kind=ActKind.ACCESS, act_id="access-1", licence=None)
    return sign_act(act, None, export.deployment.keys.service).envelope


def test_an_access_that_the_service_signed_alone_hands_nothing_over(export: Export) -> None:
    export.add_key(LI)
    export.add("access", _access(export))
    (export.hand_over().folder / ACT_FILE).write_bytes(_access(export))
    assert export.report().broken == (ACT_FILE,)
    assert "the service alone signed it" in export.detail(ACT_FILE)


def test_an_act_of_the_service_alone_is_not_told_as_signed_by_the_officer(export: Export) -> None:
    export.add_key(LI)
    name = export.add("access", _access(export))
    assert export.hand_over().report().status == VERIFIED
    assert "signed by the service alone, about officer YN-001" in export.detail(name)


def test_a_pipe_in_an_export_is_refused_and_not_waited_for(export: Export) -> None:
    export.add_key(LI)
    os.mkfifo(export.hand_over().folder / "pipe")
    with (export.folder / SUMS).open("a") as file:
        file.write(f"{'0' * 64}  pipe\n")
    assert SUMS in export.report().broken
    assert "not regular files: pipe" in export.detail(SUMS)


@pytest.mark.parametrize(
    "malformed",
    [{"package": ["EV"]}, {"tagmanifest_sha256": "a"}, {"from": [1]}],
)
def test_a_list_of_copies_with_what_is_no_digest_is_broken(
    masked: Export, malformed: dict[str, object]
) -> None:
    listed = json.loads((masked.folder / LIST).read_bytes())
    if "from" in malformed:
        listed["copies"][0] |= malformed
    else:
        listed |= malformed
    (masked.folder / LIST).write_bytes(canonical_json(listed))
    assert {COPIES, ACT_FILE, SUMS} <= set(masked.report().broken)


def test_a_review_that_the_service_signed_alone_before_the_first_key_shown_is_broken(export: Export) -> None:
    decision = {"case": "C-1", "officer": "YN-777", "verdict": "confirmed"}
    forged = export.add("review", sign_decision(decision, export.deployment.keys.service))
    export.add_key(LI)
    assert export.hand_over().report().broken == (forged,)


def test_a_handing_over_that_an_ended_service_key_countersigned_is_not_checked(export: Export) -> None:
    export.add_key(LI)
    document = trust_file(export.deployment.keys)
    document["services"][0]["revoked_at"] = "2026-03-20T08:35:00Z"
    report = verify_export(export.hand_over().folder, Trust.parse(trust_bytes(document)))[-1]
    assert (report.broken, report.not_checked) == ((), (ACT_FILE,))


@pytest.mark.parametrize("package", ["EV-x", f"EV-{event_number(5)}", f"EV-{event_number(5)}.s1"])
def test_a_review_of_a_package_that_is_not_handed_out_is_broken(export: Export, package: str) -> None:
    export.add_key(LI)
    act = replace(export.act, digests=((f"{package}/tagmanifest-sha256.txt", sha256_of(b"another")),))
    name = export.add("review", sign_act(act, LI, export.deployment.keys.service).envelope)
    assert export.hand_over().report().broken == (name,)


def test_masked_copies_show_reviews_of_the_packages_before_the_latest(masked: Export) -> None:
    for package, holds in ((f"EV-{event_number(5)}.s1", True), (f"EV-{event_number(6)}", False)):
        act = replace(masked.act, digests=((f"{package}/tagmanifest-sha256.txt", sha256_of(b"another")),))
        masked.add("review", sign_act(act, LI, masked.deployment.keys.service).envelope)
        assert masked.hand_over(kind=ActKind.DISCLOSURE).report().ok is holds


def test_a_hold_on_a_plate_that_covers_the_passage_is_believed(export: Export) -> None:
    export.add_key(LI)
    act = replace(export.act, kind=ActKind.HOLD, event=None, subject="a vehicle", digests=())
    export.add("hold", sign_act(act, LI, export.deployment.keys.service).envelope)
    assert export.hand_over().report().status == VERIFIED


def test_what_is_only_the_exporters_word_is_said_in_the_report(export: Export) -> None:
    export.add_key(LI)
    (export.folder / "history.json").write_text("{}")
    assert export.hand_over().report().status == VERIFIED
    assert "the exporter's word, and statements may be missing" in export.detail("history.json")
