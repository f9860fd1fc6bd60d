"""An export's originals and corrections are held against the logged statements beside the package."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken
from domain.ids import EventId, Sha256, sha256_of
from evidence import create_keys
from evidence.acts import envelope_digest, sign_act
from evidence.bag import folder_name
from evidence.corrections import asked_by_officers
from evidence.exported.folder import STATEMENTS
from evidence.package import TAG_MANIFEST
from evidence.statements import sign_capture_statement
from tests.fixtures.evidence import Deployment, contents, event_number, originals_of
from tests.unit.evidence.test_exported import LI, NOW, Export, exported

EVENT = contents(5).event_id
ORIGINALS = f"originals of {folder_name(EVENT, 0)}"
CORRECTIONS = f"corrections of {folder_name(EVENT, 1)}"
OTHER = sha256_of(b"another original")
NOTE = "称重证书编号更正"


def handed_over(deployment: Deployment, folder: Path, named: dict[EventId, Sha256]) -> Export:
    """Hand over a package sealed after a statement that names these originals."""
    made = exported(deployment, folder, named)
    made.add_key(LI)
    return made.hand_over()


def found(export: Export) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is broken and what is not checked."""
    report = export.report()
    return report.broken, report.not_checked


def test_originals_named_before_the_package_hold(deployment: Deployment, tmp_path: Path) -> None:
    made = handed_over(deployment, tmp_path / "export", originals_of(contents(5)))
    assert found(made) == ((), ())
    assert "its 3 originals are those" in made.detail(ORIGINALS)


@pytest.mark.parametrize("at", range(3))
def test_an_original_exchanged_before_sealing_is_broken(
    deployment: Deployment, tmp_path: Path, at: int
) -> None:
    exchanged = list(originals_of(contents(5)))[at]
    made = handed_over(deployment, tmp_path / "export", {**originals_of(contents(5)), exchanged: OTHER})
    assert found(made) == ((ORIGINALS,), ())
    assert exchanged in made.detail(ORIGINALS)


def test_a_package_sealed_before_its_captures_were_logged_is_not_checked(
    deployment: Deployment, tmp_path: Path
) -> None:
    made = exported(deployment, tmp_path / "export", {})
    made.add_key(LI)
    service = deployment.keys.service
    made.add("captures", sign_capture_statement(list(originals_of(contents(5)).items()), service, NOW))
    assert found(made.hand_over()) == ((), (ORIGINALS,))


def test_a_capture_statement_of_another_passage_names_nothing(deployment: Deployment, tmp_path: Path) -> None:
    record = originals_of(contents(5))[EVENT]
    made = handed_over(deployment, tmp_path / "export", {event_number(8): OTHER, event_number(9): record})
    assert found(made) == ((), (ORIGINALS,))


def test_a_forged_capture_statement_changes_nothing(deployment: Deployment, tmp_path: Path) -> None:
    made = exported(deployment, tmp_path / "export", originals_of(contents(5)))
    made.add_key(LI)
    forger = create_keys(tmp_path / "others").service
    lies = [(one, OTHER) for one in originals_of(contents(5))]
    name = made.add("captures", sign_capture_statement(lies, forger, NOW))
    assert found(made.hand_over()) == ((name,), ())
    alone = exported(Deployment(tmp_path / "second"), tmp_path / "alone", {})
    alone.add_key(LI)
    truths = list(originals_of(contents(5)).items())
    name = alone.add("captures", sign_capture_statement(truths, forger, NOW))
    assert found(alone.hand_over()) == ((name,), (ORIGINALS,))


def test_capture_statements_left_out_of_an_export_are_missed(deployment: Deployment, tmp_path: Path) -> None:
    made = handed_over(deployment, tmp_path / "export", originals_of(contents(5)))
    for file in (made.folder / STATEMENTS).glob("*-captures.*"):
        file.unlink()
    assert found(made.hand_over()) == ((), (ORIGINALS,))


@pytest.mark.parametrize(
    ("note", "by_officer", "broken"),
    [
        (NOTE, True, ()),
        (NOTE, False, (CORRECTIONS,)),  # the service alone seals it
        ("another note", True, (CORRECTIONS,)),
    ],
)
def test_a_correction_in_an_export_needs_an_officers_act_that_names_its_note(
    deployment: Deployment, tmp_path: Path, note: str, *, by_officer: bool, broken: tuple[str, ...]
) -> None:
    export = exported(deployment, tmp_path / "export", originals_of(contents(5)))
    export.add_key(LI)
    act = replace(
        export.act,
        kind=ActKind.CORRECTION,
        digests=(("note", sha256_of(note.encode())),),
    )
    envelope = sign_act(act, LI, export.deployment.keys.service).envelope
    if by_officer:
        export.add("correction", envelope)
    first = export.folder / folder_name(EVENT, 0) / TAG_MANIFEST
    parts = replace(contents(5), supplement=1, predecessor_tagmanifest=sha256_of(first.read_bytes()))
    answers = [{"reason": "correction", "note": NOTE, "act": envelope_digest(envelope)}]
    parts = replace(parts, event={**parts.event, "answers": answers})
    made = export.add_package(export.deployment.seal(parts))
    assert found(made.hand_over()) == (broken, ())


def test_a_correction_of_another_passage_asks_for_none_here() -> None:
    act = Act(
        act_id="act-1",
        kind=ActKind.CORRECTION,
        officer=LI.officer,
        licence="YN5301-001",
        event=event_number(8),
        subject="EV",
        reason="",
        digests=(("note", sha256_of(b"n")),),
        made_at=NOW,
    )
    event = {"event_id": EVENT, "answers": [{"reason": "correction", "note": "n", "act": "0" * 64}]}
    assert not asked_by_officers(event, {"0" * 64: act})
    assert asked_by_officers({**event, "event_id": event_number(8)}, {"0" * 64: act})
    with pytest.raises(EvidenceBroken, match="as it should"):
        asked_by_officers({**event, "answers": [1]}, {})
