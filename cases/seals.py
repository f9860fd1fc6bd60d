"""What follows from the verdict on a package: a broken seal refuses, one that cannot be checked waits."""

from cases.ports import SealReport
from domain.errors import RuleViolation, ServiceUnavailable


def refuse_unverified(seal: SealReport, folder: str, consequence: str) -> None:
    """Let nothing pass but a package that verifies.

    Raises
    ------
    ServiceUnavailable
        Nothing is broken, but a layer cannot be checked on this machine: that speaks neither for nor against.
    RuleViolation
        The package does not verify.
    """
    if seal.ok:
        return
    if seal.not_checked and not seal.broken:
        told = "; ".join(
            f"{layer.name}: {layer.detail}" for layer in seal.layers if layer.name in seal.not_checked
        )
        raise ServiceUnavailable(
            f"the package {folder} cannot be checked on this machine ({told}); that speaks neither for nor "
            "against it: have that mended, then try again"
        )
    broken = ", ".join(seal.broken) or "no layer was checked"
    raise RuleViolation(
        f"the package does not verify: the seal does not hold ({folder}: {broken}); {consequence}"
    )
