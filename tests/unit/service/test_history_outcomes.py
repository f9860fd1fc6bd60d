"""A history holds, is broken, or could not be checked; the third is neither of the others."""

import json
from pathlib import Path

import pytest

from evidence.report import Layer, Report
from service import history_teller
from service.chapters import Chapter, Finding
from service.evidence_history import as_json, as_text
from service.history import History
from service.history_teller import Places, Teller
from store.life import SignedRecord
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents


@pytest.fixture
def chapter(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chapter:
    """A package's chapter where no openssl can tell of its second signature."""
    package = deployment.seal(contents())
    layers = [Layer("sm2", False, "not checked: no openssl", checked=False)]
    report = Report(package.name, deployment.trust.digest, layers)
    monkeypatch.setattr(history_teller, "verify_package", lambda *_: report)
    envelope = (package / "seal/statement.dsse.json").read_bytes()
    record = SignedRecord("package", package.name, package.name, envelope, b"", CAPTURED_AT)
    teller = Teller(deployment.trust, Places(deployment.evidence, tmp_path / "log"), {})
    return teller.chapter(record, {})._replace(inclusion=Finding(True, "entry 0"), leaf_index=0)


def test_what_cannot_be_checked_here_is_not_checked_and_never_broken(chapter: Chapter) -> None:
    history = History(contents().event_id, "0" * 64, [chapter], Finding(True, "all known"))
    assert (history.status, history.ok, history.broken, history.unchecked) == (2, False, [], [chapter])
    assert f"NOT CHECKED: package {chapter.subject}, entry 0" in as_text(history)
    assert "BROKEN" not in as_text(history)
    assert json.loads(as_json(history))["status"] == "not-checked"


def test_what_is_broken_beside_it_is_broken(chapter: Chapter) -> None:
    broken = chapter._replace(what="review", signature=Finding(False, "altered"))
    history = History(contents().event_id, "0" * 64, [chapter, broken], Finding(True, "all known"))
    assert (history.status, history.broken) == (1, [broken])
    assert "NOT CHECKED" not in as_text(history)
    missed = History(contents().event_id, "0" * 64, [chapter], Finding(False, "entries are missing"))
    assert missed.status == 1
    assert as_text(missed).endswith("BROKEN: entries are missing")
