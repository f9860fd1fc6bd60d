"""Attacks on a sealed package, each by its name; each must be seen, and by the layer that is meant to."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.ids import sha256_of
from evidence import PackageContents, Policy, build, entry_leaf, leaf_hash, sign_decision, verify_package
from evidence.checkpoint import TlogProof, cosignature, proof_text
from evidence.dsse import Envelope
from evidence.package import TAG_MANIFEST
from evidence.parsing import canonical_json
from evidence.policy import LAYERS
from evidence.report import as_json, as_text
from evidence.seal import SEAL_FILES
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents, copy_of, event_number, rebag

pytestmark = pytest.mark.usefixtures("second_opinion")
"""Every package attacked here is also shown to the single-file verifier, which must say the same."""


def test_an_untouched_package_holds_in_every_layer(sealed_world: Deployment, package: Path) -> None:
    report = sealed_world.verify(package)
    assert report.ok, as_text(report)
    assert [layer.name for layer in report.layers] == list(LAYERS)
    assert all(layer.ok for layer in report.layers)


def test_extra_file(sealed_world: Deployment, package: Path) -> None:
    (package / "data/images/99-extra.jpg").write_bytes(b"x")
    assert "manifest" in sealed_world.verify(package).broken


@pytest.mark.parametrize("place", ["note.txt", "data/video.mp4", "seal/other.sig", "data/wire/deeper/x.json"])
def test_extra_tag_file(sealed_world: Deployment, package: Path, place: str) -> None:
    (package / place).parent.mkdir(exist_ok=True)
    (package / place).write_bytes(b"x")
    report = sealed_world.verify(package)
    assert "layout" in report.broken
    assert "does not belong there" in as_text(report)


def test_empty_extra_folder(sealed_world: Deployment, package: Path) -> None:
    (package / "data/station").rename(package / "elsewhere")
    (package / "data/station").mkdir()
    shutil.rmtree(package / "elsewhere")
    assert "layout" in sealed_world.verify(package).broken


def test_deleted_tag_manifest_and_edited_bag_info(sealed_world: Deployment, package: Path) -> None:
    """`bagit.py` alone calls this valid."""
    (package / TAG_MANIFEST).unlink()
    (package / "bag-info.txt").write_bytes((package / "bag-info.txt").read_bytes() + b"Note: edited\n")
    assert {"layout", "tag-manifest", "bag-info", "statement"} <= set(sealed_world.verify(package).broken)


@pytest.mark.parametrize(
    "name", ["data/images", "data/event.json", "seal", "bagit.txt", "seal/statement.tsr"]
)
def test_symlink(sealed_world: Deployment, package: Path, tmp_path: Path, name: str) -> None:
    """A link to the very same content, as a file and as a folder; `bagit.py` follows both."""
    (package / name).rename(tmp_path / "moved")
    (package / name).symlink_to(tmp_path / "moved")
    assert "layout" in sealed_world.verify(package).broken


def test_symlink_to_the_whole_package(sealed_world: Deployment, package: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "moved"
    package.rename(elsewhere)
    package.symlink_to(elsewhere, target_is_directory=True)
    assert "layout" in sealed_world.verify(package).broken


def test_rebagging_by_an_insider(sealed_world: Deployment, package: Path) -> None:
    event = package / "data/event.json"
    event.write_bytes(event.read_bytes().replace(b"52340", b"62340"))
    rebag(package)
    report = sealed_world.verify(package)
    assert set(report.broken) == {"statement", "entry"}


def test_swapped_images(sealed_world: Deployment, package: Path) -> None:
    front, rear = package / "data/images/01-front.jpg", package / "data/images/02-rear.jpg"
    front_bytes = front.read_bytes()
    front.write_bytes(rear.read_bytes())
    rear.write_bytes(front_bytes)
    assert "manifest" in sealed_world.verify(package).broken
    rebag(package)
    assert {"event", "statement", "entry"} <= set(sealed_world.verify(package).broken)


def test_seals_swapped_between_events(sealed_world: Deployment, package: Path, tmp_path: Path) -> None:
    other = copy_of(sealed_world, 6, tmp_path)
    shutil.rmtree(package / "seal")
    shutil.copytree(other / "seal", package / "seal")
    assert {"statement", "entry"} <= set(sealed_world.verify(package).broken)


@pytest.mark.parametrize("name", SEAL_FILES)
def test_one_seal_file_of_another_event(
    sealed_world: Deployment, package: Path, tmp_path: Path, name: str
) -> None:
    shutil.copy(copy_of(sealed_world, 6, tmp_path) / "seal" / name, package / "seal" / name)
    assert not sealed_world.verify(package).ok


def test_package_shown_as_another_event(sealed_world: Deployment, package: Path) -> None:
    shown = package.with_name(f"EV-{event_number(77)}")
    package.rename(shown)
    report = sealed_world.verify(shown)
    assert "bag-info" in report.broken
    assert "shown as" in as_text(report)


def test_supplement_shown_as_the_first_package(deployment: Deployment) -> None:
    first = build(deployment.evidence, contents(1))
    deployment.seal_built(first)
    late = replace(contents(1), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    supplement = deployment.seal(late)
    assert deployment.verify(supplement).ok
    shutil.rmtree(deployment.evidence / first.folder)
    shown = supplement.rename(deployment.evidence / first.folder)
    assert "bag-info" in deployment.verify(shown).broken


@pytest.mark.parametrize("name", [*SEAL_FILES, ""])
def test_seal_stripped(sealed_world: Deployment, package: Path, name: str) -> None:
    if name:
        (package / "seal" / name).unlink()
    else:
        shutil.rmtree(package / "seal")
    assert "layout" in sealed_world.verify(package).broken


def test_witness_stripped(sealed_world: Deployment, package: Path) -> None:
    proof = package / "seal/inclusion.tlog-proof"
    proof.write_bytes(proof.read_bytes().rpartition("— ".encode())[0])
    assert set(sealed_world.verify(package).broken) == {"witness", "witness-time"}


def test_log_signature_stripped(sealed_world: Deployment, package: Path) -> None:
    proof = package / "seal/inclusion.tlog-proof"
    head, first, second = proof.read_bytes().split("— ".encode())
    assert first.startswith(b"test.invalid/log ")
    proof.write_bytes(head + "— ".encode() + second)
    assert sealed_world.verify(package).broken == ("checkpoint",)


def test_package_resigned_whole_with_new_keys(sealed_world: Deployment, tmp_path: Path) -> None:
    """A forger with keys of the same names makes a package that is flawless under his own trust file."""
    forger = Deployment(tmp_path)
    forged = forger.seal(contents(5, gross_kg=62_340))
    assert forger.verify(forged).ok
    report = sealed_world.verify(forged)
    assert {"statement", "time-stamp", "checkpoint", "witness"} <= set(report.broken)


def test_keys_of_one_deployment_and_witness_of_another(sealed_world: Deployment, tmp_path: Path) -> None:
    forger = Deployment(tmp_path)
    forged = forger.seal(contents(5))
    mixed = forger.trust._replace(witnesses=sealed_world.trust.witnesses)
    assert set(verify_package(forged, mixed).broken) == {"witness", "witness-time"}


def test_back_dating_an_event_after_its_time_stamp(deployment: Deployment) -> None:
    """Claiming a capture later than the moment the token was made."""
    deployment.now = CAPTURED_AT - timedelta(seconds=10)
    assert deployment.verify(deployment.seal(contents(1))).broken == ("times",)


def test_back_dating_an_event_made_up_later(deployment: Deployment) -> None:
    """Claiming a capture long before anything of it was time-stamped."""
    deployment.now = CAPTURED_AT + timedelta(days=40)
    package = deployment.seal(contents(1))
    assert deployment.verify(package).broken == ("times",)
    assert deployment.verify(package, policy=Policy(allowed_delay_s=50 * 86_400)).ok


@pytest.mark.parametrize(("days", "word"), [(-1, "before it was time-stamped"), (10, "after the time stamp")])
def test_back_dated_token_is_seen_at_the_witness(deployment: Deployment, days: int, word: str) -> None:
    """A token whose time the witness's own clock contradicts."""
    built = build(deployment.evidence, contents(1))
    stamped_at = deployment.now
    real_stamp = deployment.authority.stamp

    def stamp_then_wait(data: bytes) -> bytes:
        token = real_stamp(data)
        deployment.now = stamped_at + timedelta(days=days)
        return token

    deployment.authority.stamp = stamp_then_wait  # type: ignore[method-assign]
    report = deployment.verify(deployment.seal_built(built))
    assert report.broken == ("witness-time",)
    assert word in as_text(report)


def test_entry_of_a_log_that_was_rewritten_after_sealing(sealed_world: Deployment, package: Path) -> None:
    """A head of a rewritten tree, signed by log and witness keys alike, does not prove the old entry."""
    proof = TlogProof.parse((package / "seal/inclusion.tlog-proof").read_bytes())
    head = proof.signed.checkpoint._replace(root=bytes(32))
    note = head.sign(sealed_world.keys.log) + cosignature(head.text, sealed_world.keys.witness, 1_774_000_000)
    (package / "seal/inclusion.tlog-proof").write_bytes(proof_text(proof.leaf_index, proof.path, note))
    assert "inclusion" in sealed_world.verify(package).broken


def test_token_flip_that_rfc_3161_lets_through(sealed_world: Deployment, package: Path) -> None:
    """Whatever the token's own signature tolerates, the log entry over its bytes does not."""
    token = package / "seal/statement.tsr"
    seen = token.read_bytes()
    for place in range(len(seen)):
        token.write_bytes(seen[:place] + bytes([seen[place] ^ 1]) + seen[place + 1 :])
        assert "entry" in sealed_world.verify(package).broken


def test_second_signature_smuggled_into_the_envelope(sealed_world: Deployment, package: Path) -> None:
    path = package / "seal/statement.dsse.json"
    signature = path.read_bytes().partition(b'"signatures":[')[2].rpartition(b"]")[0]
    path.write_bytes(path.read_bytes().replace(signature, signature + b"," + signature))
    assert {"statement", "entry"} <= set(sealed_world.verify(package).broken)


def test_statement_of_another_kind_in_place_of_the_packages(deployment: Deployment) -> None:
    """A decision signed with the very same key is not a statement about a package."""
    package = deployment.seal(contents(1))
    envelope = sign_decision({"case": "1"}, deployment.keys.service)
    (package / "seal/statement.dsse.json").write_bytes(envelope)
    (package / "seal/statement.pae").write_bytes(Envelope.parse(envelope).pae)
    (package / "seal/statement.sig").write_bytes(Envelope.parse(envelope).signature)
    assert "statement" in deployment.verify(package).broken


def test_statement_that_names_another_event_than_its_package(deployment: Deployment) -> None:
    """Right tag manifest, right key, but the signed words speak of another event."""
    built = build(deployment.evidence, contents(1))
    package = deployment.seal_built(built._replace(event_id=event_number(2)))
    assert deployment.verify(package).broken == ("statement",)


def test_logged_entry_of_other_content(deployment: Deployment) -> None:
    """A forged entry may be logged, but it does not then name this package's files."""
    package = deployment.seal(contents(1))
    forged = entry_leaf(sha256_of(b"other"), b"envelope", b"token")
    deployment.log.append([leaf_hash(forged)])
    (package / "seal/entry.sha256").write_bytes(forged)
    (package / "seal/inclusion.tlog-proof").write_bytes(deployment.log.inclusion_proof(1))
    assert deployment.verify(package).broken == ("entry",)


def _weighed(number: int, *, gain_ppm: int = 101_972) -> PackageContents:
    """Return contents of a passage that was weighed with a calibration."""
    parts, calibration = contents(number), {"version": 3, "strip_gain_ppm": [gain_ppm]}
    use = {"version": 3, "digest": sha256_of(canonical_json(calibration))}
    return replace(
        parts,
        event={**parts.event, "weighing": {"gross_kg": 52_340, "calibration": use}},
        station={**parts.station, "calibration": calibration},
    )


def test_calibration_swapped_for_another(deployment: Deployment, tmp_path: Path) -> None:
    """An insider puts another state beside the event and makes manifests to match."""
    package, other = deployment.seal(_weighed(1)), deployment.seal(_weighed(2, gain_ppm=111_972))
    assert deployment.verify(package).ok
    calibration = "data/station/calibration.json"
    shutil.copy(other / calibration, package / calibration)
    assert "manifest" in deployment.verify(package).broken
    rebag(package)
    report = deployment.verify(package)
    assert {"event", "statement", "entry"} <= set(report.broken)
    assert "not the calibration the event was weighed with" in as_text(report)


def test_calibration_swapped_before_it_was_sealed(deployment: Deployment) -> None:
    """All signatures hold: only the event itself gives the calibration away."""
    parts, other = _weighed(1), _weighed(2, gain_ppm=111_972)
    package = deployment.seal(replace(parts, station=other.station))
    assert {"event", "statement", "times"} <= set(deployment.verify(package).broken)


@pytest.mark.parametrize(
    ("weighing", "there", "words"),
    [
        ({"calibration": {"version": 3, "digest": "0" * 64}}, False, "is missing"),
        ({"calibration": None}, True, "nothing was weighed with it"),
        (None, True, "nothing was weighed with it"),
        ({"gross_kg": 52_340}, True, "does not say with which calibration"),
        ([], True, "does not say with which calibration"),
        ({"calibration": {"version": 3}}, True, "does not say with which calibration"),
        ({"calibration": []}, True, "does not say with which calibration"),
    ],
)
def test_calibration_left_out_or_put_beside(
    deployment: Deployment, weighing: object, there: bool, words: str
) -> None:
    parts = _weighed(1)
    station = parts.station if there else contents(1).station
    package = deployment.seal(replace(parts, event={**parts.event, "weighing": weighing}, station=station))
    report = deployment.verify(package)
    assert "event" in report.broken
    assert words in as_text(report)


def test_calibration_of_another_version_than_the_event_says(deployment: Deployment) -> None:
    parts = _weighed(1)
    use = {**parts.event["weighing"]["calibration"], "version": 4}
    event = {**parts.event, "weighing": {"calibration": use}}
    assert "event" in deployment.verify(deployment.seal(replace(parts, event=event))).broken


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def _folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _grow_beyond_reason(path: Path) -> None:
    path.write_bytes(b"0" * (5 * 1024 * 1024))


@pytest.mark.parametrize("damage", [_truncate, _empty, _append, _folder_instead, _grow_beyond_reason])
def test_truncation_and_other_damage_of_every_file(
    sealed_world: Deployment, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    pristine = copy_of(sealed_world, 5, tmp_path / "pristine")
    for path in sorted(path.relative_to(pristine) for path in pristine.rglob("*") if path.is_file()):
        package = copy_of(sealed_world, 5, tmp_path)
        damage(package / path)
        report = sealed_world.verify(package)
        assert not report.ok, path
        assert as_json(report)
        shutil.rmtree(package)


def test_what_is_not_there_at_all_is_a_report_too(sealed_world: Deployment, tmp_path: Path) -> None:
    report = sealed_world.verify(tmp_path / "EV-nothing")
    assert set(report.broken) >= set(LAYERS) - {"keys"}, "whose life this trust file does not bound"


def test_a_policy_says_which_layers_must_hold(sealed_world: Deployment, package: Path) -> None:
    (package / "seal/inclusion.tlog-proof").write_bytes(b"")
    offline = Policy(
        required_layers=frozenset(LAYERS) - {"inclusion", "checkpoint", "witness", "witness-time"}
    )
    report = sealed_world.verify(package, policy=offline)
    assert report.ok
    assert "(fails) inclusion" in as_text(report)
