"""How this deployment judges a measured mass: its formula, its guard band, its defaults."""

from dataclasses import dataclass

from domain.errors import ConfigurationError
from domain.screening import Formula
from domain.units import PPM


@dataclass(frozen=True)
class DecisionRule:
    """The decision rule; every figure used is stored with the screening.

    Parameters
    ----------
    formula
        How the certificate's error is taken off (domain.md C6).
    guard_k_milli
        Guard factor k times 1000: the guard band is k standard uncertainties (ILAC-G8).
    default_u_gross_ppm, default_u_axle_ppm
        Relative standard uncertainty where the station declares none.
    mpe_without_certificate_ppm
        Error taken off where no certificate is in force; such a passage is statistics only. The
        default is class 10 in service, the widest class whose figure was found.

    Raises
    ------
    ConfigurationError
        A figure is negative, or an uncertainty or error is not below 100 %.
    """

    formula: Formula = Formula.DEDUCT
    guard_k_milli: int = 3_000
    default_u_gross_ppm: int = 15_000
    default_u_axle_ppm: int = 30_000
    mpe_without_certificate_ppm: int = 100_000

    def __post_init__(self) -> None:
        ratios = (self.default_u_gross_ppm, self.default_u_axle_ppm, self.mpe_without_certificate_ppm)
        if self.guard_k_milli < 0 or any(not 0 <= ratio < PPM for ratio in ratios):
            raise ConfigurationError(
                "the decision rule needs a guard factor of 0 or more and ratios from 0 to below 1000000 ppm"
            )
