"""Originals of a package are held against what the log had of them before."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from domain.errors import EvidenceBroken
from domain.ids import Sha256, sha256_of
from evidence.capture_claims import Claim, Comparison, compare_originals, compare_package
from evidence.parsing import Json
from tests.fixtures.evidence import event_number

RECORD, FRONT, REAR = (sha256_of(name) for name in (b"record", b"front", b"rear"))
OTHER = sha256_of(b"another original")
IDS = [event_number(2), event_number(3)]
EVENT: Json = {
    "event_id": event_number(1),
    "originals": {
        "images": [{"path": "data/images/01-front.jpg", "sha256": FRONT}],
        "video": [{"path": "data/video/01-clip.mp4", "sha256": REAR}],
        "wire": [
            {"path": "data/wire/weigh.json", "sha256": RECORD},
            {"path": "data/images/01-front.jpg", "sha256": FRONT},
        ],
    },
}
ARRIVAL: Json = {"captures": [{"event_id": one} for one in IDS]}
SUBJECTS = [(event_number(1), RECORD), (IDS[0], FRONT), (IDS[1], REAR)]


def _said(subjects: Iterable[tuple[str, Sha256]], leaf_index: int | None) -> list[Claim]:
    return [Claim(name, digest, leaf_index) for name, digest in subjects]


def _compared(claims: list[Claim], *, package_index: int | None = 9) -> Comparison:
    return compare_originals(EVENT, ARRIVAL, claims, package_index=package_index)


def test_originals_that_were_logged_before_are_named() -> None:
    assert _compared(_said(SUBJECTS, 4)) == Comparison(3, (), ())
    assert _compared(_said(SUBJECTS, 4), package_index=None).named == 3


@pytest.mark.parametrize("at", range(3))
def test_an_original_exchanged_after_it_was_logged_is_contradicted(at: int) -> None:
    claims = _said([*SUBJECTS[:at], (SUBJECTS[at][0], OTHER), *SUBJECTS[at + 1 :]], 4)
    assert _compared(claims) == Comparison(2, (SUBJECTS[at][0],), (SUBJECTS[at][1],))


def test_a_second_statement_with_another_digest_contradicts_even_after_the_package() -> None:
    late = Claim(event_number(1), OTHER, 12)
    assert _compared([*_said(SUBJECTS, 4), late]).contradicted == (event_number(1),)


@pytest.mark.parametrize("index", [None, 9, 12])
def test_what_was_not_logged_before_the_package_names_nothing(index: int | None) -> None:
    assert _compared(_said(SUBJECTS, index)) == Comparison(0, (), tuple(sorted((RECORD, FRONT, REAR))))


def test_a_digest_under_anothers_id_names_nothing() -> None:
    stranger = [(event_number(7), FRONT), (event_number(1), RECORD), (IDS[1], REAR)]
    assert _compared(_said(stranger, 4)) == Comparison(2, (), (FRONT,))
    swapped: list[tuple[str, Sha256]] = [(event_number(1), FRONT), (IDS[0], RECORD)]
    assert _compared(_said(swapped, 4)).contradicted == tuple(sorted((event_number(1), IDS[0])))


def test_a_package_without_captures_needs_its_record_alone() -> None:
    alone = {**EVENT, "originals": {**EVENT["originals"], "images": [], "video": []}}
    assert compare_originals(alone, {}, _said(SUBJECTS, 4), package_index=9) == Comparison(1, (), ())


@pytest.mark.parametrize(
    ("event", "arrival"),
    [({}, {}), ({**EVENT, "originals": {"images": 1, "wire": []}}, {}), (EVENT, {"captures": [1]})],
)
def test_documents_that_list_nothing_are_refused(event: Json, arrival: Json) -> None:
    with pytest.raises(EvidenceBroken, match="as it should"):
        compare_originals(event, arrival, [], package_index=None)


def test_a_sealed_packages_own_documents_are_read(package: Path) -> None:
    found = compare_package(package, [], package_index=None)
    assert (found.named, len(found.unnamed)) == (0, 3)
    assert found.detail.startswith("no capture statement before it names 3 of its 3 originals: ")
