"""What an excess costs by the tariff in force on the day of the act."""

from dataclasses import dataclass

from domain.ids import Sha256
from domain.law.rows import TariffRow


@dataclass(frozen=True)
class Assessment:
    """What the tariff says of one excess, and how it was counted."""

    over_kg: int
    warning: bool
    steps: int
    """Full steps counted for the fine; 0 for a warning or where nothing is due."""
    uncapped_yuan: int
    fine_yuan: int
    row: TariffRow


@dataclass(frozen=True)
class Tariff:
    """The tariff in force on one day; `digest` is the SHA-256 of the table's TOML bytes."""

    name: str
    row: TariffRow
    digest: Sha256

    def assess(self, over_kg: int) -> Assessment:
        """Return what an excess of `over_kg` costs (Order 62 Art. 43 item 2).

        An excess up to the warning's bound is warned of, bound included. Beyond, every full step of
        the whole excess counts; a remainder is left out unless the row says otherwise.
        """
        row = self.row
        if over_kg <= row.warning_up_to_kg:
            return Assessment(over_kg, over_kg > 0, 0, 0, 0, row)
        steps, remainder = divmod(over_kg, row.step_kg)
        if remainder and row.remainder == "ceil":
            steps += 1
        yuan = steps * row.step_yuan
        return Assessment(over_kg, False, steps, yuan, min(yuan, row.cap_yuan), row)
