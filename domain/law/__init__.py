"""The law as dated, cited data: gross limits, axle limits and the tariff, each row with its source."""

from domain.law.limits import LimitTables
from domain.law.rows import AxleRow, Confidence, GrossRow, LawRow, RuleRole, RuleRow, Tariff, TariffRow
from domain.law.tables import limit_tables, tariff

__all__ = [
    "AxleRow",
    "Confidence",
    "GrossRow",
    "LawRow",
    "LimitTables",
    "RuleRole",
    "RuleRow",
    "Tariff",
    "TariffRow",
    "limit_tables",
    "tariff",
]
