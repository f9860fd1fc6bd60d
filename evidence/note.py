"""C2SP signed note (c2sp.org/signed-note): a text, an empty line, signature lines.

A signature line is an em dash, a space, the key's name, a space and base64(key id || signature).
Signatures by unknown keys are ignored, as the specification demands; one by a known key that does
not verify breaks the whole note.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from domain.ed25519 import is_public_key
from domain.errors import EvidenceBroken
from evidence.parsing import base64_of, base64_text, text_of
from evidence.signing import Signer, check_signature

ED25519 = 0x01
COSIGNATURE = 0x04

_MAX_SIGNATURES = 64
_DASH = "— "


class VerifierKey(NamedTuple):
    """A public key as it is published: `<name>+<key id in hex>+<base64(type || key)>`."""

    name: str
    kind: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that precede this key's signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key).digest()[:4]

    @classmethod
    def of(cls, signer: Signer, kind: int) -> "VerifierKey":
        """Return the verifier key of a signer."""
        return cls(signer.name, kind, signer.public_key)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a published key.

        Raises
        ------
        EvidenceBroken
            It is malformed, of an unknown type, or its id is not that of its content.
        """
        # The base64 part may itself hold a plus sign; name and id may not.
        parts = text.split("+", 2)
        if len(parts) != 3 or not _is_key_name(parts[0]):
            raise EvidenceBroken(f"{text[:80]!r} is not a verifier key <name>+<id>+<key>")
        material = base64_of(parts[2], "a verifier key")
        if len(material) != 33 or material[0] not in (ED25519, COSIGNATURE):
            raise EvidenceBroken(f"the verifier key of {parts[0]} is of a type this software does not know")
        if not is_public_key(material[1:]):
            raise EvidenceBroken(f"the verifier key of {parts[0]} is one for which anybody can sign")
        key = cls(parts[0], material[0], material[1:])
        if key.key_id.hex() != parts[1]:
            raise EvidenceBroken(
                f"the verifier key of {parts[0]} has id {parts[1]}; it should be {key.key_id.hex()}"
            )
        return key

    def __str__(self) -> str:
        """Return the published form."""
        return f"{self.name}+{self.key_id.hex()}+{base64_text(bytes([self.kind]) + self.public_key)}"


class NoteSignature(NamedTuple):
    """One signature line, read but not verified."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A signed note, read but not verified."""

    text: str
    """With its final newline; what is signed."""
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Read a note.

        Raises
        ------
        EvidenceBroken
            It is not of the specified form.
        """
        whole = text_of(data, "the note")
        body, separator, tail = whole.rpartition("\n\n")
        if not separator or not body or not tail.endswith("\n"):
            raise EvidenceBroken("the note has no text, no signatures, or is truncated")
        lines = tail[:-1].split("\n")
        if len(lines) > _MAX_SIGNATURES:
            raise EvidenceBroken(f"the note has {len(lines)} signatures; at most {_MAX_SIGNATURES} are read")
        return cls(body + "\n", tuple(map(_signature_of, lines)))

    def signers(self, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
        """Return those of `keys` by which a line is signed, in their order; nothing is verified yet."""
        present = {(line.name, line.key_id) for line in self.signatures}
        return [key for key in keys if (key.name, key.key_id) in present]

    def signature_by(self, key: VerifierKey) -> bytes:
        """Return the one signature that names `key`, not yet verified.

        Raises
        ------
        EvidenceBroken
            There is none, or more than one.
        """
        found = [s.signature for s in self.signatures if (s.name, s.key_id) == (key.name, key.key_id)]
        if len(found) != 1:
            raise EvidenceBroken(
                f"the note carries {len(found)} signatures by {key.name}; it needs exactly one"
            )
        return found[0]

    def check_signed_by(self, key: VerifierKey) -> None:
        """Check the Ed25519 note signature by `key`."""
        check_signature(
            key.public_key, self.signature_by(key), self.text.encode(), f"the signature by {key.name}"
        )

    def __bytes__(self) -> bytes:
        """Return the note in its one spelling."""
        return self.text.encode() + b"\n" + b"".join(map(signature_line, self.signatures))


def sign_note(text: str, signer: Signer) -> bytes:
    """Return `text`, which ends in a newline, signed as a note."""
    key = VerifierKey.of(signer, ED25519)
    line = signature_line(NoteSignature(signer.name, key.key_id, signer.sign(text.encode())))
    return text.encode() + b"\n" + line


def signature_line(signature: NoteSignature) -> bytes:
    """Return one signature line with its newline."""
    return f"{_DASH}{signature.name} {base64_text(signature.key_id + signature.signature)}\n".encode()


def _signature_of(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _is_key_name(name):
        raise EvidenceBroken("a signature line is not of the form: dash, name, base64")
    material = base64_of(encoded, f"the signature by {name}")
    if len(material) < 5:
        raise EvidenceBroken(f"the signature by {name} is too short")
    return NoteSignature(name, material[:4], material[4:])


def _is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)
