"""What a killed builder leaves behind: a folder under a package's own name that nobody has signed."""

from pathlib import Path

from domain.errors import ConflictingChange
from evidence.durable import fsync_folder
from evidence.package import SEAL, temporary_folder


def discard_unsealed(evidence_root: Path, folder: str) -> None:
    """Take a built folder out of the way, to be built anew; the caller knows that it was never recorded.

    Raises
    ------
    ConflictingChange
        It carries a seal: what is sealed stays as it is, and a person must look.
    """
    package = evidence_root / folder
    if (package / SEAL).exists():
        raise ConflictingChange(
            f"{folder} lies sealed in {evidence_root}, and the database does not know it: one of them was "
            "restored from an old copy; bring back its newest state"
        )
    with temporary_folder(evidence_root, f"{folder}-discarded") as aside:
        package.rename(aside / folder)
        fsync_folder(evidence_root)
