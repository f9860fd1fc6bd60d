"""The signed statements in an export: which there are, where they stand in the log, whose keys they give."""

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from domain.acts import Act
from domain.errors import EvidenceBroken, ServiceUnavailable
from evidence.acts import KeyEntry, RegisteredKey, officer_keys_of
from evidence.dsse import Envelope
from evidence.exported.folder import STATEMENTS, read
from evidence.logged import check_logged, check_signers_alive
from evidence.statements import statement_leaf
from evidence.trust import Trust

KEY_STATEMENTS = ("officer-key", "officer-key-end")

_WAITING = 2**62
"""Stands for the place of a statement that was not in the log yet: after every entry there is."""

_NAME = re.compile(r"(?:([0-9]{9,19})|waiting-[0-9]+)-([a-z-]+)\.dsse\.json")


class Statement(NamedTuple):
    """A signed statement as it lies in an export."""

    name: str
    leaf_index: int | None
    """As the file's name says; None where it was not in the log yet."""
    what: str
    envelope: bytes
    proof: bytes
    """Empty where there is none."""


def statements_of(folder: Path) -> list[Statement]:
    """Return the statements in an export.

    Raises
    ------
    EvidenceBroken
        A file has another name than statements have, or is no regular file.
    OSError
        They cannot be read.
    """
    found = []
    for path in sorted((folder / STATEMENTS).iterdir()):
        if path.name.endswith(".tlog-proof"):
            continue
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise EvidenceBroken(f"{path.name} is no statement's name")
        proof = path.with_name(path.name.removesuffix(".dsse.json") + ".tlog-proof")
        index = None if match[1] is None else int(match[1])
        proved = read(proof) if proof.exists() else b""
        found.append(Statement(path.name, index, match[2], read(path), proved))
    return found


def check_entry(one: Statement, trust: Trust) -> str:
    """Check that a statement stands in the log where its name says, signed by keys alive then.

    Raises
    ------
    EvidenceBroken
        It does not, or the proof is missing.
    ServiceUnavailable
        It was not in the log yet when the folder was made.
    """
    if one.leaf_index is None:
        raise ServiceUnavailable("it was not in the log when the folder was made; ask for a newer export")
    if not one.proof:
        raise EvidenceBroken("the proof of its entry in the log is missing")
    place = check_logged(statement_leaf(one.envelope), one.leaf_index, one.proof, trust)
    check_signers_alive(one.envelope, trust, place.witnessed_at)
    return f"entry {one.leaf_index}, seen by a witness at {place.witnessed_at.isoformat()}"


def officers_in(statements: list[Statement], trust: Trust) -> dict[str, RegisteredKey]:
    """Return the keys that statements here give officers; none with one that does not hold."""
    services = [service.public_key for service in trust.services]
    given: dict[str, list[Statement]] = {}
    for one in statements:
        if one.what in KEY_STATEMENTS:
            with suppress(EvidenceBroken, KeyError, IndexError, TypeError):
                key_id = Envelope.parse(one.envelope).statement["subject"][0]["digest"]["sha256"]
                given.setdefault(str(key_id), []).append(one)
    officers: dict[str, RegisteredKey] = {}
    for entries in given.values():
        with suppress(EvidenceBroken):
            for one in entries:
                if one.leaf_index is not None:
                    check_entry(one, trust)
            officers |= officer_keys_of([_key_entry(one) for one in entries], services)
    return officers


def check_signer(act: Act, key: RegisteredKey) -> None:
    """Call what rests on a key's statement not checked while the log has no entry of that statement."""
    if _WAITING in (key.registered_at, key.ended_at):
        raise ServiceUnavailable(
            f"a statement on the key of officer {act.officer} was not in the log when the folder was made; "
            "ask for a newer export"
        )


def _key_entry(one: Statement) -> KeyEntry:
    return KeyEntry(_WAITING if one.leaf_index is None else one.leaf_index, one.envelope)
