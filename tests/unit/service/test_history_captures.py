"""A history compares a package's originals with the capture statements that were logged before it."""

from pathlib import Path

import pytest

from domain.ids import EventId, Sha256, sha256_of
from evidence import KeySet, create_keys, leaf_hash, statement_leaf
from evidence.statements import sign_capture_statement
from service.chapters import Chapter, Finding
from service.history_teller import Places, Teller
from store.entry_proofs import KnownEntry
from store.life import SignedRecord
from tests.fixtures.evidence import CAPTURED_AT, Deployment, contents, event_number, originals_of

OTHER = sha256_of(b"another original")


class Passage:
    """A passage whose statements and package are logged in whatever order a test wants."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.records: list[SignedRecord] = []
        self.entries: dict[bytes, KnownEntry] = {}

    def capture(self, originals: dict[EventId, Sha256], *, keys: KeySet | None = None) -> None:
        """Log a capture statement; of `keys`, somebody else's word."""
        service = (keys or self.deployment.keys).service
        envelope = sign_capture_statement(list(originals.items()), service, CAPTURED_AT)
        self._log("captures", "", envelope, statement_leaf(envelope))

    def seal(self) -> None:
        """Seal the package."""
        package = self.deployment.seal(contents())
        leaf = (package / "seal/entry.sha256").read_bytes()
        envelope = (package / "seal/statement.dsse.json").read_bytes()
        self.entries[leaf_hash(leaf)] = KnownEntry(self.deployment.log.size - 1, None)
        self.records.append(SignedRecord("package", package.name, package.name, envelope, leaf, CAPTURED_AT))

    def _log(self, what: str, name: str, envelope: bytes, leaf: bytes) -> None:
        log = self.deployment.log
        log.append([leaf_hash(leaf)])
        self.entries[leaf_hash(leaf)] = KnownEntry(log.size - 1, log.inclusion_proof(log.size - 1))
        self.records.append(SignedRecord(what, name, name, envelope, None, CAPTURED_AT))

    def told(self) -> dict[str, Chapter]:
        """Tell of all of it, by what it is."""
        places = Places(self.deployment.evidence, self.deployment.folder / "log")
        teller = Teller(self.deployment.trust, places, self.entries)
        teller.learn_captures(self.records)
        return {one.what: teller.chapter(one, {}) for one in self.records}

    def package(self) -> Finding:
        """Return what is found of the package."""
        return self.told()["package"].signature


@pytest.fixture
def passage(deployment: Deployment) -> Passage:
    """A passage of which nothing is logged yet."""
    return Passage(deployment)


def test_originals_named_before_the_package_are_told(passage: Passage) -> None:
    passage.capture(originals_of(contents()))
    passage.seal()
    assert passage.package() == (
        True,
        "every layer holds; its 3 originals are those that capture statements had named before",
    )


def test_an_original_exchanged_before_sealing_is_broken_and_named(passage: Passage) -> None:
    front = list(originals_of(contents()))[1]
    passage.capture({**originals_of(contents()), front: OTHER})
    passage.seal()
    found = passage.package()
    assert (found.ok, front in found.detail) == (False, True)
    assert passage.told()["captures"].signature.ok


def test_a_package_sealed_before_its_captures_were_logged_is_told_and_not_broken(passage: Passage) -> None:
    passage.seal()
    passage.capture(originals_of(contents()))
    found = passage.package()
    assert (found.ok, "no capture statement before it names 3 of its 3 originals" in found.detail) == (
        True,
        True,
    )


def test_a_capture_statement_of_another_passage_says_nothing_of_this_one(passage: Passage) -> None:
    passage.capture({event_number(8): OTHER, event_number(9): originals_of(contents())[contents().event_id]})
    passage.seal()
    found = passage.package()
    assert (found.ok, "names 3 of its 3" in found.detail) == (True, True)


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_capture_statement_that_the_service_did_not_sign_changes_nothing(
    passage: Passage, tmp_path: Path, *, exchanged: bool
) -> None:
    named = originals_of(contents())
    forged = dict.fromkeys(named, OTHER) if exchanged else named
    passage.capture(forged, keys=create_keys(tmp_path / "others"))
    passage.seal()
    found = passage.package()
    assert (found.ok, "names 3 of its 3" in found.detail) == (True, True)
    assert passage.told()["captures"].signature.ok is False
