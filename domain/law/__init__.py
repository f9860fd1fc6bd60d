"""The law as dated, cited data: gross limits, axle limits and the tariff, each row with its source."""

from domain.law.limits import LimitTables
from domain.law.rows import AxleRow, Confidence, GrossRow, LawRow, RuleRole, RuleRow, Tariff, TariffRow
from domain.law.tables import (
    LIMIT_TABLES,
    TARIFF_TABLE,
    Table,
    limit_tables,
    limits_of,
    published_tables,
    read_table,
    shipped_tables,
    tariff,
    tariff_of,
)

__all__ = [
    "LIMIT_TABLES",
    "TARIFF_TABLE",
    "AxleRow",
    "Confidence",
    "GrossRow",
    "LawRow",
    "LimitTables",
    "RuleRole",
    "RuleRow",
    "Table",
    "Tariff",
    "TariffRow",
    "limit_tables",
    "limits_of",
    "published_tables",
    "read_table",
    "shipped_tables",
    "tariff",
    "tariff_of",
]
