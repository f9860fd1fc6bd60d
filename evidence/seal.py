"""The seal: six files beside a built package that tie it to a signer, a time and the log.

All six are functions of the envelope, the token, the leaf and the proof. They appear together or
not at all, and once there are never replaced.
"""

from pathlib import Path

from domain.errors import ConflictingChange, EvidenceBroken
from evidence.dsse import Envelope
from evidence.durable import fsync_tree, read_regular, write_new
from evidence.package import MAX_TAG_BYTES, SEAL, rename_into_place, temporary_folder
from evidence.statements import ENVELOPE_FILE, TOKEN_FILE

PAE_FILE = "statement.pae"
SIGNATURE_FILE = "statement.sig"
ENTRY_FILE = "entry.sha256"
PROOF_FILE = "inclusion.tlog-proof"
SEAL_FILES = (ENVELOPE_FILE, PAE_FILE, SIGNATURE_FILE, TOKEN_FILE, ENTRY_FILE, PROOF_FILE)


def write_seal(
    evidence_root: Path, folder: str, *, envelope: bytes, token: bytes, leaf: bytes, proof: bytes
) -> None:
    """Write a package's seal; nothing happens where the same seal is there already.

    A seal already there is the same if envelope, token and leaf are: its proof may lead to an
    earlier checkpoint than `proof` does, which proves as much.

    Raises
    ------
    ConflictingChange
        The package carries another seal.
    EvidenceBroken
        There is no such package, or the envelope is malformed.
    """
    package = evidence_root / folder
    if not package.is_dir():
        raise EvidenceBroken(f"there is no package {folder} to seal; build it first")
    parsed = Envelope.parse(envelope)
    files = {
        ENVELOPE_FILE: envelope,
        PAE_FILE: parsed.pae,
        SIGNATURE_FILE: parsed.signature,
        TOKEN_FILE: token,
        ENTRY_FILE: leaf,
        PROOF_FILE: proof,
    }
    if not (package / SEAL).exists():
        with temporary_folder(evidence_root, f"{folder}-{SEAL}") as building:
            for name, data in files.items():
                write_new(building / name, data)
            fsync_tree(building)
            rename_into_place(building, package / SEAL)
    for name in (ENVELOPE_FILE, TOKEN_FILE, ENTRY_FILE):
        if read_regular(package / SEAL / name, max_bytes=MAX_TAG_BYTES) != files[name]:
            raise ConflictingChange(f"{folder} already carries another seal; a seal is never replaced")
