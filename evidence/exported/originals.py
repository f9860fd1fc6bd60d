"""An export's originals and corrections, held against the logged statements that came with it."""

from contextlib import suppress
from pathlib import Path

from domain.acts import Act, ActKind
from domain.errors import EvidenceBroken, ServiceUnavailable
from evidence.acts import RegisteredKey, check_act, envelope_digest
from evidence.capture_claims import Claim, claims_of, compare_package
from evidence.checkpoint import TlogProof
from evidence.corrections import asked_by_officers
from evidence.exported.folder import read
from evidence.exported.statements import Statement, check_entry
from evidence.masked_copies import read_copies
from evidence.package import SEAL
from evidence.seal import PROOF_FILE
from evidence.sealed import sealed_event
from evidence.trust import Trust
from evidence.verify.inspection import some


def claims_in(statements: list[Statement], trust: Trust) -> list[Claim]:
    """Return what capture statements in an export say; of one that does not hold, nothing."""
    services = [service.public_key for service in trust.services]
    claims: list[Claim] = []
    for one in statements:
        if one.what == "captures":
            with suppress(EvidenceBroken):
                claims += claims_of(one.envelope, _place_of(one, trust), services)
    return claims


def check_originals(package: Path, claims: list[Claim]) -> str:
    """Compare a package's originals with what capture statements named before it was sealed.

    Raises
    ------
    EvidenceBroken
        A statement names another original, or the package does not list its own.
    ServiceUnavailable
        No statement here names an original: it may have been left out.
    """
    proof = TlogProof.parse(read(package / SEAL / PROOF_FILE))
    found = compare_package(package, claims, package_index=proof.leaf_index)
    if found.contradicted:
        raise EvidenceBroken(found.detail)
    if found.unnamed:
        raise ServiceUnavailable(f"{found.detail}; one that does may have been left out")
    return found.detail


def check_copied(folder: Path, claims: list[Claim]) -> str:
    """Look for the originals of masked copies in what fixed them before anything was read of them.

    By digest alone: a statement names each capture by an id of its own, which only the package lists.

    Raises
    ------
    EvidenceBroken
        The list of copies does not hold.
    ServiceUnavailable
        No logged statement here names an original.
    """
    originals = read_copies(folder).originals
    missing = originals - {one.sha256 for one in claims if one.leaf_index is not None}
    if missing:
        raise ServiceUnavailable(
            f"no logged capture statement here names {some(sorted(missing))}; compare with the package"
        )
    return (
        f"{len(originals)} originals, named by capture statements in the log; that they are of this passage "
        "the package shows"
    )


def corrections_in(
    statements: list[Statement], officers: dict[str, RegisteredKey], trust: Trust
) -> dict[str, Act]:
    """Return the acts of correction here whose signatures hold, by the digest of their envelopes."""
    services = [service.public_key for service in trust.services]
    found: dict[str, Act] = {}
    for one in statements:
        if one.what == ActKind.CORRECTION:
            with suppress(EvidenceBroken):
                act = check_act(one.envelope, one.leaf_index, officers=officers, services=services)
                if act.kind is ActKind.CORRECTION:
                    found[envelope_digest(one.envelope)] = act
    return found


def check_corrections(supplement: Path, corrections: dict[str, Act]) -> str:
    """Check that an officer's act stands for each correction that a supplement answers.

    Raises
    ------
    EvidenceBroken
        None here does, or the supplement does not say what it answers.
    """
    if not asked_by_officers(sealed_event(supplement), corrections):
        raise EvidenceBroken("it corrects what was sealed, and no officer's act here that holds asks for it")
    return "it answers no correction but those that officers asked for"


def _place_of(one: Statement, trust: Trust) -> int | None:
    with suppress(ServiceUnavailable):
        check_entry(one, trust)
        return one.leaf_index
    return None
