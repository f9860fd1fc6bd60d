"""The versions of every computation that this software can run, by the names that packages seal.

Whoever changes a result gives the computation a new name, and keeps the old one here with what runs it, or
takes it out: packages that name it then say which software has it (docs/how-to/check-every-number.md).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version

from cases import penalty
from cases.penalty import Proposal, propose
from domain.errors import ConfigurationError
from domain.law import Tariff
from domain.screening import Screening
from service.recomputation.package import Inputs
from weigh import ALGORITHM as SCREENING
from weigh import screen_records, trust
from weigh.assumptions import criteria_digest, digest_of, population_digest
from weigh.calibration.state import ALGORITHM as CALIBRATION
from weigh.estimate import ASSUMED_POPULATION
from weigh.waveform import ALGORITHM as STRIPS
from weigh.waveform import Criteria
from weigh.weighing import ALGORITHM as ESTIMATE

PENALTY = penalty.ALGORITHM

SCREENINGS = {SCREENING: screen_records}
PENALTIES: Mapping[str, Callable[[Screening, Tariff], Proposal]] = {PENALTY: propose}
WEIGHINGS: Mapping[str, frozenset[str]] = {
    "strips": frozenset({STRIPS}),
    "estimate": frozenset({ESTIMATE}),
    "calibration": frozenset({CALIBRATION}),
    "criteria": frozenset({criteria_digest(Criteria())}),
    "population": frozenset({population_digest(ASSUMED_POPULATION)}),
    "trust": frozenset({digest_of(asdict(trust.TRUST))}),
}
"""What of `Weighing.algorithms` is known: names of computations, and digests of assumptions."""


def named(inputs: Inputs) -> dict[str, str]:
    """Return every computation that the package says decided it, by what it does."""
    decided = inputs.decided
    found = {"screening": decided.screening.algorithm}
    if decided.weighing is not None:
        found |= decided.weighing.algorithms
    if decided.proposal is not None:
        found["penalty"] = decided.proposal.algorithm
    return found


def require_known(inputs: Inputs) -> None:
    """Refuse a package that was decided by a version this software does not have.

    Raises
    ------
    ConfigurationError
        With the version, and the software that has it.
    """
    unknown = list(_unknown(named(inputs)))
    if unknown:
        sealed_by = inputs.event.get("software", "the software that sealed it")
        raise ConfigurationError(
            f"{inputs.package} was decided by {', '.join(unknown)}, which {software()} does not have; "
            f"recompute it with {sealed_by}"
        )


def software() -> str:
    """Return this software's name and version, as packages name it."""
    return f"zhichao {version('zhichao')}"


def _unknown(named_by: Mapping[str, str]) -> Iterator[str]:
    known: dict[str, frozenset[str]] = {
        "screening": frozenset(SCREENINGS),
        "penalty": frozenset(PENALTIES),
        **WEIGHINGS,
    }
    for what, name in sorted(named_by.items()):
        if name not in known.get(what, frozenset()):
            yield f"{what} {name}"
