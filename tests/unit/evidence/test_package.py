"""Building and sealing: the same bytes for the same feed, all of it or nothing, never rewritten."""

import os
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import ConflictingChange, EvidenceBroken
from domain.events import CaptureRole
from domain.ids import DeviceId, EventId, sha256_of
from evidence import (
    BuiltPackage,
    ClipItem,
    DerivedItem,
    PackageContents,
    WireItem,
    build,
    remove_leftovers,
    write_seal,
)
from evidence.parsing import document_of
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents, event_number, image


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = build(tmp_path / "a", contents()), build(tmp_path / "b", contents())
    assert first == second
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_two_replays_differ_in_arrival_json_only(tmp_path: Path) -> None:
    original = contents()
    resent = (("schema", "1"), ("seq", "1"), ("sent_at", "2026-04-01T00:00:00.000000Z"))
    replayed = replace(
        original,
        arrival={"received_at": "2026-04-01T00:00:01.000000Z"},
        wire=(replace(original.wire[0], properties=resent),),
    )
    first, second = build(tmp_path / "a", original), build(tmp_path / "b", replayed)
    a, b = files_of(tmp_path / "a" / first.folder), files_of(tmp_path / "b" / second.folder)
    differing = {path for path in a if path.startswith("data/") and a[path] != b[path]}
    assert differing == {"data/arrival.json"}
    assert b"2026-04-01T00:00:00.000000Z" in b["data/arrival.json"]


def test_the_order_in_which_images_came_does_not_matter(tmp_path: Path) -> None:
    turned = replace(contents(), images=contents().images[::-1])
    assert build(tmp_path / "a", contents()) == build(tmp_path / "b", turned)


def test_building_again_uses_what_is_there(tmp_path: Path) -> None:
    built = build(tmp_path, contents())
    before = os.stat(tmp_path / built.folder).st_ino
    assert build(tmp_path, contents()) == built
    assert os.stat(tmp_path / built.folder).st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == [built.folder]


def test_other_contents_under_the_same_name_are_refused(tmp_path: Path) -> None:
    build(tmp_path, contents())
    with pytest.raises(ConflictingChange, match="supplement"):
        build(tmp_path, contents(gross_kg=1))


def test_the_same_job_many_times_at_once(tmp_path: Path) -> None:
    built: list[BuiltPackage] = []
    workers = [threading.Thread(target=lambda: built.append(build(tmp_path, contents()))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(built) == 8
    assert len(set(built)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [built[0].folder]


def test_payloads_are_kept_to_the_byte(tmp_path: Path) -> None:
    payload = b'{"gross_kg":\r\n 1e3 }\x00\xff'
    strange = replace(contents(), wire=(WireItem("weigh.json", payload, "主题/weigh", (("schema", "1"),)),))
    folder = tmp_path / build(tmp_path, strange).folder
    assert (folder / "data/wire/weigh.json").read_bytes() == payload
    headers = document_of((folder / "data/wire/weigh.json.headers.json").read_bytes(), "headers")
    assert headers == {"topic": "主题/weigh", "content_type": None, "properties": [["schema", "1"]]}


def test_a_capture_whose_payload_is_the_image_is_stored_once(tmp_path: Path) -> None:
    front = contents().images[1]
    capture = WireItem("front", front.data, "zhichao/v1/S1/cam-front/capture", (("role", "front"),))
    folder = tmp_path / build(tmp_path, replace(contents(), wire=(*contents().wire, capture))).folder
    event = document_of((folder / "data/event.json").read_bytes(), "event")
    entry = next(entry for entry in event["originals"]["wire"] if entry["topic"].endswith("capture"))
    assert entry["path"] == "data/images/01-front.jpg"
    assert not (folder / "data/wire/front").exists()
    assert (folder / "data/wire/front.headers.json").exists()


def clip(device: str, data: bytes) -> ClipItem:
    return ClipItem(DeviceId(device), sha256_of(data), data)


def test_clips_lie_apart_as_they_came_each_stored_once(deployment: Deployment) -> None:
    one, other = clip("cam-b", b"second clip"), clip("cam-a", b"first clip")
    sent = WireItem("capture-clip", one.data, "zhichao/v1/S1/cam-b/capture", (("role", "clip"),))
    package = deployment.seal(replace(contents(), clips=(one, other), wire=(*contents().wire, sent)))
    assert [path.read_bytes() for path in sorted((package / "data/video").iterdir())] == [
        b"first clip",
        b"second clip",
    ]
    event = document_of((package / "data/event.json").read_bytes(), "event")
    assert event["originals"]["wire"][-1]["path"] == "data/video/02-clip.mp4"
    assert not (package / "data/wire/capture-clip").exists()
    assert deployment.verify(package).ok
    (package / "data/video/01-clip.mp4").write_bytes(b"First clip")
    assert "manifest" in deployment.verify(package).broken


def test_a_supplement_names_its_predecessor(tmp_path: Path) -> None:
    first = build(tmp_path, contents())
    late = replace(contents(), supplement=1, predecessor_tagmanifest=first.tagmanifest)
    second = build(tmp_path, late)
    assert second.folder == f"{first.folder}.s1"
    event = document_of((tmp_path / second.folder / "data/event.json").read_bytes(), "event")
    assert (event["supplement"], event["predecessor"]) == (1, first.tagmanifest)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(contents(), event_id=EventId("../../etc")), "cannot name a package"),
        (replace(contents(), event_id=EventId(event_number(1).upper())), "cannot name a package"),
        (replace(contents(), supplement=1), "predecessor"),
        (replace(contents(), predecessor_tagmanifest=sha256_of(b"")), "predecessor"),
        (replace(contents(), event={"captured_at": "yesterday"}), "not a time"),
        (replace(contents(), event={}), "not a time"),
        (replace(contents(), event=contents().event | {"gross_t": 52.34}), "not an integer"),
        (replace(contents(), event=contents().event | {"event_id": "x"}), "event sets event_id"),
        (replace(contents(), event=contents().event | {"count": 2**60}), "canonical JSON"),
        (replace(contents(), event=contents().event | {"text": "\ud800"}), "canonical JSON"),
        (replace(contents(), wire=(replace(contents().wire[0], name="../weigh.json"),)), "plain file name"),
        (replace(contents(), wire=contents().wire * 2), "two parts"),
        (replace(contents(), station={"a/b": {}}), "plain file name"),
        (
            replace(contents(), images=(replace(contents().images[0], sha256=sha256_of(b"other")),)),
            "not the one its digest names",
        ),
        (
            replace(contents(), clips=(ClipItem(DeviceId("c"), sha256_of(b"other"), b"clip"),)),
            "clip capture of c",
        ),
        (replace(contents(), derived=(DerivedItem("../x.jpg", b"", (), "x/1"),)), "plain file name"),
        (replace(contents(), derived=(DerivedItem("x.jpg", b"", (), "x/1"),) * 2), "two parts"),
        (replace(contents(), event=contents().event | {"derived": []}), "event sets derived"),
        (replace(contents(), event=contents().event | {"anti_forgery": {}}), "event sets anti_forgery"),
    ],
)
def test_contents_that_contradict_themselves(tmp_path: Path, wrong: PackageContents, why: str) -> None:
    with pytest.raises(EvidenceBroken, match=why):
        build(tmp_path, wrong)
    assert list(tmp_path.iterdir()) == []


def test_two_images_of_one_role_and_device(deployment: Deployment) -> None:
    twice = (image(CaptureRole.SIDE, "cam", b"a"), image(CaptureRole.SIDE, "cam", b"b"))
    package = deployment.seal(replace(contents(), images=twice))
    assert sorted(path.name for path in (package / "data/images").iterdir()) == ["01-side.jpg", "02-side.jpg"]
    assert deployment.verify(package).ok


def test_a_package_without_reading_and_station_documents(deployment: Deployment) -> None:
    package = deployment.seal(replace(contents(), reading=None, station={}, images=()))
    assert deployment.verify(package).ok


def test_leftovers_of_a_killed_builder_are_removed_once_old(tmp_path: Path) -> None:
    built = build(tmp_path, contents())
    old, young = tmp_path / ".building-EV-1-x", tmp_path / ".building-EV-1-y"
    old.mkdir()
    young.mkdir()
    os.utime(old, (1, 1))
    assert remove_leftovers(tmp_path) == [old.name]
    assert {path.name for path in tmp_path.iterdir()} == {built.folder, young.name}


def _seal_parts(package: Path) -> dict[str, bytes]:
    names = {
        "envelope": "statement.dsse.json",
        "token": "statement.tsr",
        "leaf": "entry.sha256",
        "proof": "inclusion.tlog-proof",
    }
    return {part: (package / "seal" / name).read_bytes() for part, name in names.items()}


def test_sealing_again_changes_nothing(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    before, parts = files_of(package), _seal_parts(package)
    deployment.seal(contents(2))
    later_proof = deployment.log.inclusion_proof(0)
    assert later_proof != parts["proof"]
    write_seal(deployment.evidence, package.name, **parts | {"proof": later_proof})
    assert files_of(package) == before


def test_another_seal_is_refused(deployment: Deployment) -> None:
    package, other = deployment.seal(contents(1)), deployment.seal(contents(2))
    before = files_of(package)
    with pytest.raises(ConflictingChange, match="never replaced"):
        write_seal(deployment.evidence, package.name, **_seal_parts(other))
    assert files_of(package) == before


def test_a_seal_needs_its_package(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    with pytest.raises(EvidenceBroken, match="build it first"):
        write_seal(deployment.evidence, "EV-none", **_seal_parts(package))


def test_a_later_proof_verifies_as_well(deployment: Deployment) -> None:
    package = deployment.seal(contents(1))
    deployment.now = CAPTURED_AT + timedelta(hours=2)
    for number in range(2, 6):
        deployment.seal(contents(number))
    (package / "seal/inclusion.tlog-proof").write_bytes(deployment.log.inclusion_proof(0))
    assert deployment.verify(package).ok
