"""Derived views and supplements under the verifier: what an event may name beside its originals."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.events import CaptureRole
from domain.ids import sha256_of
from domain.units import utc_text
from evidence import BuiltPackage, PackageContents, as_text, build
from evidence.checkpoint import TlogProof, cosignature
from evidence.parsing import canonical_json
from evidence.policy import LAYERS, ON_REQUEST
from evidence.verify.table import CHECKS
from tests.fixtures.evidence import CAPTURED_AT, KEYS_MADE_AT, WITH_SM3, Deployment, contents, image
from tests.fixtures.second_opinion import failing, opinion, trust_of

pytestmark = pytest.mark.usefixtures("second_opinion")

VIEW = b"a view made of the front image"
PATH = "data/derived/01-overlay.png"

SETTLED: dict[str, Any] = {"record": {"gross_kg": 52_340, "axles": [1, 2]}, "screening": {"outcome": 1}}
WEIGHED = replace(contents(1), event=contents(1).event | SETTLED)


def test_every_layer_has_its_check() -> None:
    assert tuple(CHECKS) == (*LAYERS, *ON_REQUEST)


def with_view(deployment: Deployment, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    """Seal a package with one derived view, its entry changed by `change` before it is sealed."""
    package = deployment.seal(contents(1))
    event = json.loads((package / "data/event.json").read_bytes())
    front = event["originals"]["images"][0]["sha256"]
    entry = {"path": PATH, "sha256": sha256_of(VIEW), "from": [front], "by": "overlay/1"}
    event["derived"] = [entry]
    change(event)
    (package / "data/event.json").write_bytes(canonical_json(event))
    (package / PATH).parent.mkdir(exist_ok=True)
    (package / PATH).write_bytes(VIEW)
    return deployment.reseal(package)


def test_a_derived_view_of_an_original_here_holds(deployment: Deployment) -> None:
    report = deployment.verify(with_view(deployment))
    assert report.ok, as_text(report)
    assert "1 derived views" in as_text(report)


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.pop("derived"),
        lambda event: event["derived"].clear(),
        lambda event: event["derived"].append(event["derived"][0]),
        lambda event: event["derived"][0].update(sha256="0" * 64),
        lambda event: event["derived"][0].update(path="data/derived/02-other.png"),
        lambda event: event["derived"][0].update({"from": []}),
        lambda event: event["derived"][0].update({"from": ["0" * 64]}),
        lambda event: event["derived"][0].update({"from": [{}]}),
        lambda event: event["derived"][0].update({"from": event["derived"][0]["sha256"]}),
        lambda event: event["derived"][0].update(by=""),
        lambda event: event["derived"][0].pop("by"),
        lambda event: event.update(derived={"path": PATH}),
        lambda event: event.update(derived=5),
    ],
)
def test_a_view_derived_from_nothing_here_is_refused(
    deployment: Deployment, change: Callable[[dict[str, Any]], object]
) -> None:
    """Sealed with the right keys by an owner gone bad: only the event gives the view away."""
    report = deployment.verify(with_view(deployment, change))
    assert report.broken == ("derived",), as_text(report)


def test_a_derived_view_passed_off_as_an_original(deployment: Deployment) -> None:
    def move(event: dict[str, Any]) -> None:
        event["originals"]["images"].append({"path": PATH, "sha256": sha256_of(VIEW)})
        event["derived"] = []

    assert "derived" in deployment.verify(with_view(deployment, move)).broken


def test_an_original_that_the_event_does_not_name_is_refused(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    (package / "data/video").mkdir()
    (package / "data/video/01-clip.mp4").write_bytes(b"clip")
    report = deployment.verify(deployment.reseal(package))
    assert {"event", "derived", "statement"} <= set(report.broken)


def supplement(deployment: Deployment) -> tuple[Path, Path]:
    """Seal a first package and the supplement that follows it, beside each other."""
    first = build(deployment.evidence, contents(1))
    late = replace(contents(1), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    return deployment.seal_built(first), deployment.seal(late)


def test_a_supplement_follows_the_package_beside_it(deployment: Deployment) -> None:
    first, late = supplement(deployment)
    report = deployment.verify(late)
    assert report.ok, as_text(report)
    assert f"follows {first.name}" in as_text(report)


def verdicts(deployment: Deployment, package: Path) -> tuple[int, int]:
    """Return the exit statuses of `zhichao evidence verify` and of the single file."""
    said = opinion(package, trust_of(deployment))
    broken = any(words.startswith("BROKEN") for words in said.values())
    report = deployment.verify(package)
    layers = {*report.broken, *report.not_checked}
    assert not report.ok or layers == set()
    assert layers <= {"predecessor"}, as_text(report)
    return report.status, 1 if broken else 2 if failing(said) else 0


def test_a_supplement_alone_is_not_checked_however_late_it_was_sealed(deployment: Deployment) -> None:
    """Nothing else bounds when it was captured: it could be made, and dated back, today."""
    first, late = supplement(deployment)
    shutil.rmtree(first)
    assert verdicts(deployment, late) == (2, 2)
    told = as_text(deployment.verify(late))
    assert f"lay {first.name} and all supplements beside it" in told
    deployment.now = CAPTURED_AT + timedelta(days=200)
    named = sha256_of(b"no such package")
    dated_back = replace(contents(2), supplement=1, predecessor_tagmanifest=named)
    assert verdicts(deployment, deployment.seal(dated_back)) == (2, 2)


def test_a_supplement_with_an_invented_predecessor(deployment: Deployment) -> None:
    named = sha256_of(b"no such package")
    late = deployment.seal(replace(contents(1), supplement=1, predecessor_tagmanifest=named))
    assert verdicts(deployment, late) == (2, 2), "alone"
    deployment.seal(contents(1))
    assert verdicts(deployment, late) == (1, 1), "beside the package that it does not follow"


def test_a_supplement_with_an_empty_predecessor(deployment: Deployment) -> None:
    empty = sha256_of(b"")
    late = deployment.seal(replace(contents(1), supplement=1, predecessor_tagmanifest=empty))
    first = late.with_suffix("")
    first.mkdir()
    assert verdicts(deployment, late) == (1, 1)
    (first / "tagmanifest-sha256.txt").write_bytes(b"")
    assert verdicts(deployment, late) == (1, 1)


def test_a_supplement_with_only_its_predecessors_tag_manifest_beside_it(deployment: Deployment) -> None:
    first, late = supplement(deployment)
    manifest = (first / "tagmanifest-sha256.txt").read_bytes()
    shutil.rmtree(first)
    first.mkdir()
    (first / "tagmanifest-sha256.txt").write_bytes(manifest)
    assert verdicts(deployment, late) == (1, 1)
    assert f"{first.name}, which it follows, does not hold" in as_text(deployment.verify(late))


def test_a_supplement_of_another_event(deployment: Deployment) -> None:
    first = build(deployment.evidence, contents(1))
    deployment.seal_built(first)
    late = replace(contents(2), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    package = deployment.seal(late)
    assert verdicts(deployment, package) == (2, 2), "its own first package is not beside it"
    deployment.seal(contents(2))
    assert verdicts(deployment, package) == (1, 1)


def test_a_first_package_sealed_too_late_and_the_supplement_that_follows_it(deployment: Deployment) -> None:
    """Both made 200 days after the capture they claim: it is the first package that gives them away."""
    deployment.now = CAPTURED_AT + timedelta(days=200)
    first, late = supplement(deployment)
    assert deployment.verify(first).broken == ("times",)
    assert verdicts(deployment, late) == (1, 1)


def test_a_supplement_of_a_supplement_is_checked_back_to_the_first(deployment: Deployment) -> None:
    first = build(deployment.evidence, WEIGHED)
    second = build(deployment.evidence, following(first))
    third = build(deployment.evidence, following(second))
    folders = [deployment.seal_built(one) for one in (first, second, third)]
    assert [verdicts(deployment, one) for one in folders] == [(0, 0)] * 3
    shutil.rmtree(folders[0])
    assert [verdicts(deployment, one) for one in folders[1:]] == [(2, 2)] * 2
    shutil.rmtree(folders[1])
    assert verdicts(deployment, folders[2]) == (2, 2)


def test_a_package_shown_as_its_own_predecessor_gets_an_answer(deployment: Deployment) -> None:
    """The folder says supplement 1, its bag-info 2: following what the bag says would never end."""
    first = build(deployment.evidence, contents(1))
    package = deployment.seal(replace(following(first), supplement=2))
    shown = package.with_suffix(".s1")
    package.rename(shown)
    assert "bag-info" in deployment.verify(shown).broken
    assert opinion(shown, trust_of(deployment))["bag-info"].startswith("BROKEN")


def following(built: BuiltPackage, **changed: object) -> PackageContents:
    """Return the supplement that follows a package, with some of what it says changed."""
    event: dict[str, Any] = WEIGHED.event | changed
    number, named = built.supplement + 1, built.tagmanifest
    return replace(WEIGHED, event=event, supplement=number, predecessor_tagmanifest=named)


def chained(deployment: Deployment, late: Callable[[BuiltPackage], PackageContents]) -> Path:
    """Seal a package of a weighed vehicle, and the supplement that is made of it."""
    first = build(deployment.evidence, WEIGHED)
    deployment.seal_built(first)
    return deployment.seal(late(first))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"record": {"gross_kg": 49_000, "axles": [1, 2]}}, "record.gross_kg"),
        ({"record": {"gross_kg": 52_340, "axles": [1, 2, 3]}}, "record.axles"),
        ({"record": {"gross_kg": 52_340}}, "record.axles"),
        ({"record": None}, "record"),
        ({"screening": {"outcome": True}}, "screening.outcome"),
    ],
)
def test_a_supplement_that_tells_of_another_passage(
    deployment: Deployment, changed: dict[str, object], told: str
) -> None:
    """The single file does not compare what it cannot weigh: not checked, and never verified."""
    late = chained(deployment, lambda first: following(first, **changed))
    assert verdicts(deployment, late)[0] == 1
    assert f"which it follows: {told}" in as_text(deployment.verify(late))
    assert failing(opinion(late, trust_of(deployment))) == {"predecessor"}


def test_a_supplement_captured_at_another_time(deployment: Deployment) -> None:
    other = utc_text(CAPTURED_AT - timedelta(days=1))
    late = chained(deployment, lambda first: following(first, captured_at=other))
    assert verdicts(deployment, late) == (1, 1)


def test_a_supplement_that_lacks_an_original_or_calls_it_something_else(deployment: Deployment) -> None:
    late = chained(deployment, lambda first: replace(following(first), images=WEIGHED.images[:1]))
    assert verdicts(deployment, late) == (1, 1)
    shutil.rmtree(deployment.evidence)
    rear = replace(WEIGHED.images[1], role=CaptureRole.SIDE)
    late = chained(deployment, lambda first: replace(following(first), images=(WEIGHED.images[0], rear)))
    assert verdicts(deployment, late) == (1, 2)


def test_a_supplement_of_a_later_version_may_say_more_and_tells_what_it_adds(deployment: Deployment) -> None:
    screening = {"outcome": 1, "note": "said by a later version"}
    side = image(CaptureRole.SIDE, "cam-side", b"late")
    late = chained(
        deployment,
        lambda first: replace(following(first, screening=screening), images=(*WEIGHED.images, side)),
    )
    report = deployment.verify(late)
    assert report.ok, as_text(report)
    assert "it adds 1 originals, which its own time stamp alone dates" in as_text(report)
    assert failing(opinion(late, trust_of(deployment))) == {"predecessor"}


def test_another_package_in_the_predecessors_place(deployment: Deployment, tmp_path: Path) -> None:
    first, late = supplement(deployment)
    other = Deployment(tmp_path / "other")
    shutil.rmtree(first)
    shutil.copytree(other.seal(contents(1, gross_kg=49_000)), first)
    assert deployment.verify(late).broken == ("predecessor",)
    shutil.rmtree(first)
    first.mkdir()
    assert deployment.verify(late).broken == ("predecessor",)


@pytest.mark.parametrize("named", [None, "0" * 63, 5, "0" * 64])
def test_a_supplement_must_name_its_predecessor(deployment: Deployment, named: object) -> None:
    _, late = supplement(deployment)
    event = json.loads((late / "data/event.json").read_bytes())
    (late / "data/event.json").write_bytes(canonical_json(event | {"predecessor": named}))
    assert "predecessor" in deployment.verify(deployment.reseal(late)).broken


def test_a_first_package_that_names_a_predecessor(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    event = json.loads((package / "data/event.json").read_bytes())
    (package / "data/event.json").write_bytes(canonical_json(event | {"predecessor": "0" * 64}))
    assert deployment.verify(deployment.reseal(package)).broken == ("predecessor",)


def test_a_second_manifest_that_tells_of_other_bytes(deployment: Deployment) -> None:
    """Sealed by an owner gone bad: the SM3 manifest is wrong, and shows only where it is asked for."""
    package = deployment.seal(contents(1))
    assert deployment.verify(package, policy=WITH_SM3).ok
    manifest = package / "manifest-sm3.txt"
    wrong = manifest.read_bytes().replace(manifest.read_bytes()[:8], b"01234567", 1)
    deployment.reseal(package, sm3_manifest=wrong)
    assert deployment.verify(package).ok
    assert deployment.verify(package, policy=WITH_SM3).broken == ("manifest-sm3",)


def test_a_supplement_may_come_months_later_but_not_before_the_capture(deployment: Deployment) -> None:
    first = build(deployment.evidence, contents(1))
    deployment.seal_built(first)
    late = replace(contents(1), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    deployment.now = CAPTURED_AT + timedelta(days=90)
    assert deployment.verify(deployment.seal(late)).ok
    too_early = replace(contents(2), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    deployment.now = CAPTURED_AT - timedelta(hours=1)
    assert "times" in deployment.verify(deployment.seal(too_early)).broken


def test_restamping_in_place_is_seen(deployment: Deployment) -> None:
    """A fresh token of the same authority in place of the old: genuine, but not the one that was logged."""
    package = deployment.seal(contents(1))
    deployment.now += timedelta(days=1)
    envelope = (package / "seal/statement.dsse.json").read_bytes()
    (package / "seal/statement.tsr").write_bytes(deployment.authority.stamp(envelope))
    assert set(deployment.verify(package).broken) == {"entry", "witness-time"}


def test_restamping_before_the_certificate_ends_is_a_supplement_and_leaves_the_seal_as_it_was(
    deployment: Deployment,
) -> None:
    """The later token is over an envelope that names the earlier tag manifest: it vouches for it again."""
    first = build(deployment.evidence, contents(1))
    package = deployment.seal_built(first)
    seal_before = {path.name: path.read_bytes() for path in (package / "seal").iterdir()}
    deployment.now = KEYS_MADE_AT + timedelta(days=3600)
    again = deployment.seal(replace(contents(1), supplement=1, predecessor_tagmanifest=first.tagmanifest))
    assert deployment.verify(again).ok
    assert deployment.verify(package).ok
    assert {path.name: path.read_bytes() for path in (package / "seal").iterdir()} == seal_before


def test_a_line_by_a_witness_nobody_trusts_is_told_and_proves_nothing(
    deployment: Deployment, tmp_path: Path
) -> None:
    package, other = deployment.seal(contents(1)), Deployment(tmp_path / "other", name="ministry.invalid")
    proof = package / "seal/inclusion.tlog-proof"
    head = TlogProof.parse(proof.read_bytes()).signed.checkpoint
    line = cosignature(head.text, other.keys.witness, int(CAPTURED_AT.timestamp()))
    proof.write_bytes(proof.read_bytes() + line)
    report = deployment.verify(package)
    assert report.ok, as_text(report)
    detail = {layer.name: layer.detail for layer in report.layers}["witness"]
    assert detail == (
        "cosigned by test.invalid/witness; not checked, by keys nobody here trusts: ministry.invalid/witness"
    )
