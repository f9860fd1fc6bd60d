"""The limit rows in force on one day, with what this deployment has confirmed of them."""

from dataclasses import dataclass

from domain.errors import ConfigurationError
from domain.ids import Sha256
from domain.law.rows import AxleRow, Confidence, GrossRow, LawRow, RuleRole, RuleRow


@dataclass(frozen=True)
class LimitTables:
    """Every limit row in force on one day.

    Attributes
    ----------
    digest
        SHA-256 of the bytes of all tables, one after another in the order of `digests`.
    digests
        SHA-256 of each table's TOML bytes, as (table name, digest).
    confirmed_rows
        Ids of rows marked M that the deployment has checked against the official text.
    """

    gross: tuple[GrossRow, ...]
    rules: tuple[RuleRow, ...]
    axle: tuple[AxleRow, ...]
    digest: Sha256
    digests: tuple[tuple[str, Sha256], ...]
    confirmed_rows: frozenset[str]

    @property
    def rows(self) -> tuple[LawRow, ...]:
        """All rows, gross limits first."""
        return (*self.gross, *self.rules, *self.axle)

    def gross_row(self, kind: str, axles: int, *, single_drive: bool = False) -> GrossRow:
        """Return the row for a configuration; where none is for a single drive axle, the plain one.

        Raises
        ------
        ConfigurationError
            The table has no row for this kind and number of axles.
        """
        fitting = [
            row
            for row in self.gross
            if row.kind == kind and (row.axles == axles or (row.and_more and row.axles < axles))
        ]
        exact = [row for row in fitting if row.single_drive == single_drive]
        plain = exact or [row for row in fitting if not row.single_drive]
        if not plain:
            raise ConfigurationError(
                f"no gross limit for a {kind} of {axles} axles; add a row to domain/law/order62.toml"
            )
        return max(plain, key=lambda row: row.axles)

    def rule(self, role: RuleRole) -> RuleRow:
        """Return the one rule with this role.

        Raises
        ------
        ConfigurationError
            None is in force.
        """
        for row in self.rules:
            if row.role is role:
                return row
        raise ConfigurationError(f"no rule {role.value!r} is in force; add a row to domain/law/order62.toml")

    def may_lower(self, row: LawRow) -> bool:
        """Whether this row may lower a gross limit: it was read somewhere, or was confirmed here."""
        return row.confidence is not Confidence.MEMORY or row.id in self.confirmed_rows
