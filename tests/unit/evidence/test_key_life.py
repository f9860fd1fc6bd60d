"""Keys that begin, end and are revoked: what they signed counts by the witness's time, and by no other."""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError, EvidenceBroken
from domain.units import utc_text
from evidence import (
    ED25519,
    LocalTestAuthority,
    Signer,
    TransparencyLog,
    Trust,
    VerifierKey,
    Witness,
    build,
    create_keys,
    leaf_hash,
    trust_bytes,
    trust_file,
    verify_package,
)
from evidence.checkpoint import TlogProof, cosignature
from evidence.head_stamps import stamp_heads
from evidence.key_life import KeyLife
from evidence.logged import check_published
from tests.fixtures import evidence as fixtures
from tests.fixtures.evidence import CAPTURED_AT, KEYS_MADE_AT, Deployment, contents, copy_of

WITNESSED = (CAPTURED_AT + timedelta(seconds=40)).replace(microsecond=0)
"""When the packages of `sealed_world` were witnessed; cosignatures have whole seconds."""

SECOND = timedelta(seconds=1)
PARTS = ("services", "logs", "witnesses", "time_authorities")


def bounded(world: Deployment, part: str, **life: datetime) -> Trust:
    """Return the deployment's trust with bounds to one of its keys."""
    return Trust.parse(trust_bytes(with_life(trust_file(world.keys), part, **life)))


def with_life(document: dict[str, Any], part: str, **life: datetime) -> dict[str, Any]:
    """Return a trust file with bounds to the first key of a part."""
    entry, *others = document[part]
    entry = {"key": entry} if isinstance(entry, str) else entry
    bounds = {name: utc_text(bound) for name, bound in life.items()}
    return document | {part: [entry | bounds, *others]}


def test_keys_without_bounds_need_none(sealed_world: Deployment, package: Path) -> None:
    report = sealed_world.verify(package)
    assert report.ok
    assert {layer.name: layer.detail for layer in report.layers}["keys"].startswith(
        "the trust file bounds no"
    )


@pytest.mark.parametrize("part", PARTS)
def test_key_revoked_before_the_package_was_witnessed(
    sealed_world: Deployment, package: Path, part: str
) -> None:
    for revoked_at in (WITNESSED - timedelta(days=1), WITNESSED, WITNESSED + SECOND / 2):
        report = verify_package(package, bounded(sealed_world, part, revoked_at=revoked_at))
        assert report.broken == ("keys",)
        assert "was revoked at" in report.layers[-1].detail


@pytest.mark.parametrize("part", PARTS)
def test_key_revoked_after_the_package_was_witnessed_holds_and_says_so(
    sealed_world: Deployment, package: Path, part: str
) -> None:
    for revoked_at in (WITNESSED + SECOND, WITNESSED + timedelta(days=1)):
        report = verify_package(package, bounded(sealed_world, part, revoked_at=revoked_at))
        assert report.ok
        assert f"was revoked later, at {revoked_at.isoformat()}" in report.layers[-1].detail


@pytest.mark.parametrize("part", PARTS)
def test_package_witnessed_before_and_after_a_keys_life(
    sealed_world: Deployment, package: Path, part: str
) -> None:
    for life in (
        {"valid_from": WITNESSED + SECOND},
        {"valid_from": WITNESSED + timedelta(days=1)},
        {"valid_to": WITNESSED - SECOND},
        {"valid_from": WITNESSED - timedelta(days=2), "valid_to": WITNESSED - timedelta(days=1)},
    ):
        assert verify_package(package, bounded(sealed_world, part, **life)).broken == ("keys",)
    for life in (
        {"valid_from": WITNESSED, "valid_to": WITNESSED},
        {"valid_from": WITNESSED - timedelta(days=1), "valid_to": WITNESSED + timedelta(days=1)},
    ):
        assert verify_package(package, bounded(sealed_world, part, **life)).ok


def rotated(world: Deployment, folder: Path, *, at: datetime) -> tuple[Deployment, Trust]:
    """Return the deployment with a new service key, and the trust file that names both."""
    after = Deployment(folder)
    new = create_keys(folder / "new", name="test.invalid", made_at=KEYS_MADE_AT).service
    after.keys = world.keys._replace(service=new)
    after.authority = LocalTestAuthority(world.keys.folder, clock=lambda: after.now)
    log_key = VerifierKey.of(world.keys.log, ED25519)
    witness = Witness(
        folder / "witness", world.keys.witness, log_key, clock=lambda: int(after.now.timestamp())
    )
    after.log = TransparencyLog(folder / "log", world.keys.log, witness)
    document = with_life(trust_file(world.keys), "services", valid_to=at)
    document["services"] += trust_file(after.keys)["services"]
    return after, Trust.parse(trust_bytes(document))


def test_old_packages_hold_with_the_trust_file_that_names_a_rotated_key(
    sealed_world: Deployment, package: Path, tmp_path: Path
) -> None:
    after, trust = rotated(sealed_world, tmp_path / "after", at=WITNESSED + timedelta(days=1))
    after.now = WITNESSED + timedelta(days=2)
    sealed = after.seal(contents(captured_at=after.now - timedelta(seconds=30)))
    assert verify_package(package, trust).ok
    assert verify_package(sealed, trust).ok
    # And the file from before the rotation does not know the new key.
    assert "statement" in verify_package(sealed, sealed_world.trust).broken


def test_old_key_signing_after_its_rotation_does_not_hold(sealed_world: Deployment, tmp_path: Path) -> None:
    after, trust = rotated(sealed_world, tmp_path / "after", at=WITNESSED + timedelta(days=1))
    after.keys = sealed_world.keys
    after.now = WITNESSED + timedelta(days=2)
    sealed = after.seal(contents(captured_at=after.now - timedelta(seconds=30)))
    assert verify_package(sealed, trust).broken == ("keys",)


def test_package_resealed_by_a_thief_of_the_service_key(
    sealed_world: Deployment, package: Path, tmp_path: Path
) -> None:
    """All he cannot do is have it witnessed before the theft was told."""
    thief, _ = rotated(sealed_world, tmp_path / "thief", at=WITNESSED)
    thief.keys = sealed_world.keys
    thief.now = WITNESSED + timedelta(days=4)
    shutil.copytree(package, thief.evidence / package.name)
    forged = thief.reseal(thief.evidence / package.name)
    assert verify_package(forged, sealed_world.trust).ok, "nobody knows of the theft yet"
    trust = bounded(sealed_world, "services", revoked_at=WITNESSED + timedelta(days=3))
    assert verify_package(forged, trust).broken == ("keys",)
    assert verify_package(package, trust).ok


def test_package_resealed_whole_with_new_keys_fails(
    sealed_world: Deployment, package: Path, tmp_path: Path
) -> None:
    forger = Deployment(tmp_path / "forger")
    shutil.copytree(package, forger.evidence / package.name)
    forged = forger.reseal(forger.evidence / package.name)
    assert forger.verify(forged).ok, "the forgery is perfect but for its keys"
    report = verify_package(forged, sealed_world.trust)
    assert {"statement", "time-stamp", "checkpoint", "witness"} <= set(report.broken)


def test_a_time_authority_revoked_beside_one_that_is_not(
    sealed_world: Deployment, package: Path, tmp_path: Path
) -> None:
    """Another root in the file does not stand in for the one that signed."""
    document = with_life(trust_file(sealed_world.keys), "time_authorities", revoked_at=WITNESSED)
    stranger = Deployment(tmp_path / "stranger")
    document["time_authorities"] += trust_file(stranger.keys)["time_authorities"]
    for order in (1, -1):
        document["time_authorities"] = document["time_authorities"][::order]
        assert verify_package(package, Trust.parse(trust_bytes(document))).broken == ("keys",)


def test_a_time_stamp_outlives_its_authoritys_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts by the token's own time: made while the certificate was valid, it holds ever after."""
    monkeypatch.setattr(fixtures, "KEYS_MADE_AT", datetime(2010, 1, 1, tzinfo=UTC))
    deployment = Deployment(tmp_path)
    (certificate,) = deployment.trust.tsa_roots
    ends = certificate.not_valid_after_utc
    assert ends < datetime.now(UTC)
    deployment.now = ends - timedelta(hours=1)
    in_time = deployment.seal(contents(1, captured_at=deployment.now - timedelta(seconds=30)))
    deployment.now = ends + timedelta(hours=1)
    too_late = deployment.seal(contents(2, captured_at=deployment.now - timedelta(seconds=30)))
    assert deployment.verify(in_time).ok
    report = deployment.verify(too_late)
    assert report.broken == ("time-stamp", "times", "witness-time")
    assert "expired" in {layer.name: layer.detail for layer in report.layers}["time-stamp"]


def test_a_second_witness_vouches_where_the_first_ones_key_was_revoked(
    tmp_path: Path, deployment: Deployment
) -> None:
    other = Deployment(tmp_path / "other", name="second.invalid")
    second = Witness(
        tmp_path / "second",
        other.keys.witness,
        VerifierKey.of(deployment.keys.log, ED25519),
        clock=lambda: int(deployment.now.timestamp()),
    )

    class Both:
        """Two witnesses as one."""

        def remembered_size(self) -> int:
            """Return what both remember."""
            return deployment.witness.remembered_size()

        def cosign(self, checkpoint_note: bytes, old_size: int, proof: Sequence[bytes]) -> bytes:
            """Return both lines."""
            lines = [one.cosign(checkpoint_note, old_size, proof) for one in (deployment.witness, second)]
            return b"".join(lines)

    deployment.log = TransparencyLog(deployment.folder / "log", deployment.keys.log, Both())
    package = deployment.seal(contents())
    document = with_life(trust_file(deployment.keys), "witnesses", revoked_at=KEYS_MADE_AT)
    assert verify_package(package, Trust.parse(trust_bytes(document))).broken == ("keys",)
    document["witnesses"] += trust_file(other.keys)["witnesses"]
    assert verify_package(package, Trust.parse(trust_bytes(document))).ok


def claimed_by(deployment: Deployment, signer: Signer, package: Path, at: datetime) -> None:
    """Put a cosignature with a time of the thief's choice under a package's head."""
    path = package / "seal/inclusion.tlog-proof"
    note = TlogProof.parse(path.read_bytes()).signed.note
    path.write_bytes(path.read_bytes() + cosignature(note.text, signer, int(at.timestamp())))


def test_the_first_of_two_standing_witnesses_dates_a_head(
    sealed_world: Deployment, package: Path, tmp_path: Path
) -> None:
    """What one of them had seen before a key was revoked was not signed late because another looked later."""
    other = create_keys(tmp_path / "other", name="second.invalid", made_at=KEYS_MADE_AT)
    claimed_by(sealed_world, other.witness, package, WITNESSED + timedelta(hours=2))
    revoked_at = WITNESSED + timedelta(hours=1)
    document = with_life(trust_file(sealed_world.keys), "services", revoked_at=revoked_at)
    document["witnesses"] += trust_file(other)["witnesses"]
    assert verify_package(package, Trust.parse(trust_bytes(document))).ok


def test_a_time_stamp_of_a_revoked_authority_counts_by_the_witness_and_not_by_its_own_time(
    deployment: Deployment,
) -> None:
    """Whoever has the authority's key may write any time; the entry was seen after its revocation."""
    built, stamped_at = build(deployment.evidence, contents()), deployment.now
    signed = deployment.signed(built)
    deployment.now += timedelta(hours=2)
    package = deployment.seal_built(built, signed=signed)
    assert deployment.verify(package).ok
    trust = bounded(deployment, "time_authorities", revoked_at=stamped_at + timedelta(hours=1))
    assert verify_package(package, trust).broken == ("keys",)


@pytest.mark.parametrize("end", ["revoked_at", "valid_to"])
def test_a_stolen_witness_key_whose_life_has_ended_makes_nothing_older(
    deployment: Deployment, tmp_path: Path, end: str
) -> None:
    """The thief writes any time he likes; the service key that signed was revoked before a witness saw it."""
    stolen = create_keys(tmp_path / "stolen", name="former.invalid", made_at=KEYS_MADE_AT)
    stamped_at, revoked_at = deployment.now, deployment.now + timedelta(hours=1)
    built = build(deployment.evidence, contents())
    signed = deployment.signed(built)
    deployment.now += timedelta(days=1)  # the log was away
    package = deployment.seal_built(built, signed=signed)
    claimed_by(deployment, stolen.witness, package, stamped_at + timedelta(minutes=1))
    document = with_life(trust_file(deployment.keys), "services", revoked_at=revoked_at)
    former = with_life(trust_file(stolen), "witnesses", **{end: stamped_at + timedelta(minutes=5)})
    document["witnesses"] += former["witnesses"]
    assert verify_package(package, Trust.parse(trust_bytes(document))).broken == ("keys",)


def test_an_operator_who_changed_to_a_foreign_witness_back_dates_by_the_own_old_key(
    deployment: Deployment,
) -> None:
    """What was sealed before still holds; what comes after does not, whatever time the old key writes."""
    before = deployment.seal(contents(1))
    changed_at = deployment.now + timedelta(hours=1)
    trust = bounded(deployment, "witnesses", valid_to=changed_at)
    deployment.now = changed_at + timedelta(days=1)
    log_key, claimed = VerifierKey.of(deployment.keys.log, ED25519), deployment.now
    operator = Witness(
        deployment.folder / "witness",
        deployment.keys.witness,
        log_key,
        clock=lambda: int(claimed.timestamp()),
    )
    deployment.log = TransparencyLog(deployment.folder / "log", deployment.keys.log, operator)
    captured_at = deployment.now - timedelta(minutes=1)
    as_it_was = deployment.seal(contents(2, captured_at=captured_at))
    claimed = changed_at - timedelta(minutes=1)
    back_dated = deployment.seal(contents(3, captured_at=captured_at))
    assert verify_package(before, trust).ok
    assert verify_package(as_it_was, trust).broken == ("keys",)
    assert verify_package(back_dated, trust).broken == ("witness-time", "keys")


def test_an_act_dated_back_by_an_ended_witness_key_alone_is_dated_by_who_else_saw_it(
    deployment: Deployment,
) -> None:
    """Nothing in an act is time-stamped, so that only another's word bounds what an ended key claims."""
    leaf, now, log = b"an act\n", deployment.now.replace(microsecond=0), deployment.folder / "log"
    deployment.log.append([leaf_hash(leaf)])
    proof = deployment.log.inclusion_proof(0)
    assert check_published(leaf, 0, log, proof, deployment.trust).witnessed_at == now
    ended = bounded(deployment, "witnesses", valid_to=now + timedelta(days=1))
    with pytest.raises(EvidenceBroken, match="whose keys have ended"):
        check_published(leaf, 0, log, proof, ended)
    deployment.now += timedelta(hours=9)
    stamp_heads(log, deployment.authority, deployment.now.date())
    assert check_published(leaf, 0, log, proof, ended).witnessed_at >= deployment.now
    with pytest.raises(EvidenceBroken):
        check_published(b"another\n", 0, log, proof, ended)


def test_the_package_cannot_bring_a_life_of_its_own(sealed_world: Deployment, tmp_path: Path) -> None:
    """A trust file laid into the package is a file too many, and is not read."""
    package = copy_of(sealed_world, 5, tmp_path)
    (package / "trust.json").write_bytes(trust_bytes(trust_file(sealed_world.keys)))
    trust = bounded(sealed_world, "services", revoked_at=WITNESSED)
    assert set(verify_package(package, trust).broken) == {"layout", "keys"}


def _misspelt(document: dict[str, Any]) -> None:
    document["services"][0]["revoked"] = "2026-03-20T08:30:00Z"


def _no_time(document: dict[str, Any]) -> None:
    document["services"][0]["revoked_at"] = "yesterday"


def _local_time(document: dict[str, Any]) -> None:
    document["services"][0]["revoked_at"] = "2026-03-20T08:30:00+08:00"


def _no_such_day(document: dict[str, Any]) -> None:
    document["time_authorities"][0]["valid_to"] = "2026-02-30T08:30:00Z"


def _ends_before_it_begins(document: dict[str, Any]) -> None:
    document["logs"][0] = {
        "key": document["logs"][0],
        "valid_from": "2026-03-20T08:30:00Z",
        "valid_to": "2026-03-19T08:30:00Z",
    }


def _twice(document: dict[str, Any]) -> None:
    document["services"].append(document["services"][0] | {"revoked_at": "2026-03-20T08:30:00Z"})


def _key_missing(document: dict[str, Any]) -> None:
    document["witnesses"][0] = {"revoked_at": "2026-03-20T08:30:00Z"}


def _log_as_witness(document: dict[str, Any]) -> None:
    document["witnesses"] = document["logs"]
    document["logs"] = []


@pytest.mark.parametrize(
    "damage",
    [
        _misspelt,
        _no_time,
        _local_time,
        _no_such_day,
        _ends_before_it_begins,
        _twice,
        _key_missing,
        _log_as_witness,
    ],
)
def test_a_trust_file_that_cannot_be_read_as_meant_is_refused_and_never_ignored(
    sealed_world: Deployment, damage: Callable[[dict[str, Any]], None]
) -> None:
    document = trust_file(sealed_world.keys)
    damage(document)
    with pytest.raises(ConfigurationError, match="trust file cannot be used"):
        Trust.parse(trust_bytes(document))


def test_a_life_reads_back_as_it_was_written() -> None:
    life = KeyLife(WITNESSED, WITNESSED + SECOND, WITNESSED + SECOND / 4)
    assert KeyLife.of(life.members(), "it") == life
    assert KeyLife.of({}, "it") == KeyLife()
    with pytest.raises(EvidenceBroken, match="revoked"):
        KeyLife(revoked_at=WITNESSED).check(WITNESSED, "it")
