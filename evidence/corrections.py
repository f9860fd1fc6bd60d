"""Whether the corrections that a supplement answers are officers' acts: the service alone makes none."""

from collections.abc import Mapping

from domain.acts import Act
from domain.errors import EvidenceBroken
from domain.ids import sha256_of
from evidence.parsing import Json


def asked_by_officers(event: Json, corrections: Mapping[str, Act]) -> bool:
    """Say whether each correction that a supplement answers is an officer's act, which names its note.

    Parameters
    ----------
    event
        The supplement's `data/event.json`; a package that answers nothing corrects nothing.
    corrections
        Acts of correction that hold, by the SHA-256 of their envelopes.

    Raises
    ------
    EvidenceBroken
        The event does not list its answers as it should.
    """
    try:
        passage = str(event["event_id"])
        answers = [(one["reason"], one.get("act"), one.get("note")) for one in event.get("answers") or []]
    except (KeyError, TypeError, AttributeError):
        raise EvidenceBroken("data/event.json does not list what it answers as it should") from None
    return all(
        act is not None
        and act.event == passage
        and dict(act.digests).get("note") == sha256_of(str(note).encode())
        for reason, named, note in answers
        if reason == "correction"
        for act in [corrections.get(str(named))]
    )
