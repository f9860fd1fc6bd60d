"""Derived views and supplements under the verifier: what an event may name beside its originals."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.ids import sha256_of
from evidence import as_text, build
from evidence.parsing import canonical_json
from evidence.policy import LAYERS, ON_REQUEST
from evidence.verify.table import CHECKS
from tests.fixtures.evidence import CAPTURED_AT, KEYS_MADE_AT, WITH_SM3, Deployment, contents

pytestmark = pytest.mark.usefixtures("second_opinion")

VIEW = b"a view made of the front image"
PATH = "data/derived/01-overlay.png"


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


def test_a_supplement_alone_holds_and_says_what_it_could_not_compare(deployment: Deployment) -> None:
    first, late = supplement(deployment)
    shutil.rmtree(first)
    report = deployment.verify(late)
    assert report.ok
    assert "is not here to compare" in as_text(report)


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
