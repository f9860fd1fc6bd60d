"""Logged statements on an installation's keys, read: what each says, and whether a trust file says the same.

Who may sign: a rotation the key that ends, and its follower second; where one witness apart follows another,
the service, since the former's key is not here. A revocation, and what trust file was published, the service.
A key that a rotation introduced signs what comes later, whether or not the trust file names it: so an old
trust file is told what it lacks. Statements on officers' keys are read by `evidence.acts`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from domain.errors import EvidenceBroken
from domain.ids import Sha256
from domain.units import utc_text
from evidence.acts import subjects_of
from evidence.dsse import Envelope
from evidence.parsing import Json, base64_of, moment_of
from evidence.signing import key_id
from evidence.statements import KEYS, TRUST_FILE, check_statement
from evidence.trust import PARTS, Trust, trusted_id


class KeyStatement(NamedTuple):
    """What a statement says, once its signatures hold."""

    what: str
    """`rotation`, `revocation` or `trust-file`."""
    role: str
    subject: Sha256
    """The id of the key that ends, or the trust file's digest."""
    made_at: datetime
    signer: str
    ends_at: datetime | None = None
    """When the key ends: `valid_to` of a rotation, `revoked_at` of a revocation."""
    follower: Sha256 | None = None
    reason: str = ""


@dataclass
class KeyReader:
    """Reads statements in the order of the log, and learns the keys that rotations introduce.

    Parameters
    ----------
    trust
        Whose statements count at first.
    """

    trust: Trust
    _services: set[bytes] = field(init=False)
    _witnesses: set[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._services = {one.public_key for one in self.trust.services}
        self._witnesses = {one.public_key for one in self.trust.witnesses}

    def read(self, envelope: bytes) -> KeyStatement:
        """Check who signed a statement, and return what it says.

        Raises
        ------
        EvidenceBroken
            It is malformed, or signed by nobody who may sign it.
        """
        statement = check_statement(envelope, [*self._services, *self._witnesses], KEYS)
        if not isinstance(statement["predicate"], dict):
            raise EvidenceBroken("the statement says nothing")
        match statement["predicate"].get("what"):
            case "rotation":
                return self._rotation(envelope, statement)
            case "revocation":
                read = _revocation(envelope, statement)
            case "trust-file":
                read = _trust_file(envelope, statement)
            case what:
                raise EvidenceBroken(f"it says {str(what)[:40]!r} of a key; only newer software knows that")
        if read.signer not in map(key_id, self._services):
            raise EvidenceBroken(f"a {read.what} is signed by the service; this one is not")
        return read

    def _rotation(self, envelope: bytes, statement: Json) -> KeyStatement:
        predicate = statement["predicate"]
        ended, follower = (_key(predicate, name) for name in ("ended", "follower"))
        ids = (("ended", key_id(ended)), ("follower", key_id(follower)))
        if subjects_of(statement) != ids:
            raise EvidenceBroken("a rotation is about other keys than it holds")
        parsed, role = Envelope.parse(envelope), predicate.get("role")
        known = {"service": self._services, "witness": self._witnesses}.get(str(role))
        if known is None:
            raise EvidenceBroken("a rotation is of the service's key or a witness's")
        # A witness apart is followed by the service's word: its key is not in this installation.
        by_service = role == "witness" and parsed.key_id in map(key_id, self._services)
        if not by_service and (parsed.key_id != key_id(ended) or ended not in known):
            raise EvidenceBroken(f"a rotation is signed by the {role} key that ends; this one is not")
        if role == "service" or len(parsed.signatures) > 1:
            parsed.check_second(follower)
        known.add(follower)
        return KeyStatement(
            "rotation",
            str(role),
            Sha256(key_id(ended)),
            moment_of(predicate.get("made_at"), "made_at"),
            parsed.key_id,
            moment_of(predicate.get("valid_to"), "valid_to"),
            Sha256(key_id(follower)),
        )


def disagreements(statements: Sequence[KeyStatement], trust: Trust) -> list[str]:
    """Return in words what the log says of keys and a trust file does not."""
    named = {one for one, _ in _named(trust)}
    return [line for one in statements for line in _disagreements(one, trust, named)]


def remarks(statements: Sequence[KeyStatement], trust: Trust) -> list[str]:
    """Return in words what a trust file says of keys, or is, and the log's statements do not tell."""
    return [*_unintroduced(statements, trust), *_publication(statements, trust)]


def _disagreements(one: KeyStatement, trust: Trust, named: Collection[str]) -> Iterator[str]:
    if one.ends_at is None:
        return
    key = f"the {one.role} key {one.subject[:16]}..."
    life = trust.lives.get(one.subject)
    if one.subject not in named:
        yield f"the log has a {one.what} of {key}, which the trust file does not name"
    elif one.what == "revocation":
        in_file = None if life is None else life.revoked_at
        if in_file != one.ends_at:
            yield f"the log revokes {key} from {utc_text(one.ends_at)} on, the trust file {_from(in_file)}"
    else:
        in_file = None if life is None else life.end
        # What is left of a former witness's life is cut with its follower's, by no statement of its own.
        earlier = None if life is None or one.role == "witness" else life.valid_to
        if in_file is None or in_file > one.ends_at or (earlier is not None and earlier < one.ends_at):
            yield f"the log ends {key} at {utc_text(one.ends_at)}, the trust file {_at(in_file)}"
    if one.follower is not None and one.follower not in named:
        yield f"{key} is followed by {one.follower[:16]}..., which the trust file does not name"


def _from(at: datetime | None) -> str:
    return "does not" if at is None else f"from {utc_text(at)} on"


def _at(at: datetime | None) -> str:
    return "gives it no end" if at is None else f"at {utc_text(at)}"


def _unintroduced(statements: Sequence[KeyStatement], trust: Trust) -> Iterator[str]:
    """Tell of keys in force that no rotation introduced; each role has a first one that none did."""
    ended = {one.subject: one for one in statements if one.ends_at is not None}
    introduced = {one.follower for one in statements if one.follower is not None}
    for role in ("service", "witness"):
        own = [one for one, of_role in _named(trust) if of_role == role]
        rotated = any(one.what == "rotation" and one.role == role for one in statements)
        fresh = [one for one in own if one not in introduced and one not in ended]
        in_force = [one for one in fresh if one not in trust.lives or trust.lives[one].end is None]
        if rotated or len(in_force) > 1:
            for one in in_force:
                yield f"the trust file names the {role} key {one[:16]}..., no logged statement introduced it"
    for one, role in _named(trust):
        if one in trust.lives and trust.lives[one].end is not None and one not in ended:
            yield f"the trust file ends the {role} key {one[:16]}..., no logged statement does"


def _publication(statements: Sequence[KeyStatement], trust: Trust) -> Iterator[str]:
    """Tell whether a trust file is the one that was published last, as far as statements say."""
    published = [one.subject for one in statements if one.what == TRUST_FILE]
    if trust.digest not in published:
        yield "no logged statement names this trust file"
    if published and published[-1] != trust.digest:
        yield f"the last trust file that a statement names has the sha256 {published[-1]}"


def _named(trust: Trust) -> Iterator[tuple[str, str]]:
    """Yield every key's id and role."""
    raw = [
        *((one.public_key, "service") for one in trust.services),
        *((one.public_key, "log") for one in trust.logs),
        *((one.public_key, "witness") for one in trust.witnesses),
        *((one.public_key, "sm2") for one in trust.sm2),
    ]
    yield from ((trusted_id(key), role) for key, role in raw)
    yield from ((trusted_id(root), "tsa") for root in trust.tsa_roots)


def _revocation(envelope: bytes, statement: Json) -> KeyStatement:
    predicate = statement["predicate"]
    role = predicate.get("role")
    if role not in PARTS:
        raise EvidenceBroken("a revocation is of a key that no trust file lists")
    return KeyStatement(
        "revocation",
        str(role),
        _one_subject(statement, "revoked"),
        moment_of(predicate.get("made_at"), "made_at"),
        Envelope.parse(envelope).key_id,
        moment_of(predicate.get("revoked_at"), "revoked_at"),
        reason=str(predicate.get("reason", "")),
    )


def _trust_file(envelope: bytes, statement: Json) -> KeyStatement:
    made_at = moment_of(statement["predicate"].get("made_at"), "made_at")
    digest = _one_subject(statement, TRUST_FILE)
    return KeyStatement(TRUST_FILE, "trust file", digest, made_at, Envelope.parse(envelope).key_id)


def _one_subject(statement: Json, wanted: str) -> Sha256:
    subjects = subjects_of(statement)
    if len(subjects) != 1 or subjects[0][0] != wanted:
        raise EvidenceBroken(f"a statement on keys is about something else than {wanted}")
    return subjects[0][1]


def _key(predicate: dict[str, Any], name: str) -> bytes:
    written = predicate.get(name)
    if not isinstance(written, str):
        raise EvidenceBroken("a rotation names no key")
    return base64_of(written, "a key")
