"""What screening and tariff say of many vehicles now, under their present names and tables."""

import json
from random import Random
from typing import Any

from cases import penalty
from cases.penalty import propose
from domain.ids import sha256_of
from domain.law import shipped_tables, tariff
from domain.screening import Formula, Outcome
from tests.unit.weigh.vehicles import DAY, context_choices, random_vehicle, tables_choices
from weigh import ALGORITHM, DecisionRule, screen_records

VEHICLES = 120
_RULES = [DecisionRule(formula=formula, guard_k_milli=k) for formula in Formula for k in (1_645, 3_000)]


def figures() -> dict[str, Any]:
    """Return names, tables and the digests of what went in and what came out."""
    random = Random("golden")
    records = [random_vehicle(random) for _ in range(VEHICLES)]
    contexts = [random.choice(context_choices()) for _ in records]
    found, proposed = [], []
    for rule in _RULES:
        for tables in tables_choices():
            for screening in screen_records(records, contexts, tables=tables, rule=rule):
                found.append(screening.model_dump(mode="json"))
                if screening.outcome is Outcome.OVERLOADED:
                    proposed.append(propose(screening, tariff(DAY)).model_dump(mode="json"))
    return {
        "algorithms": {"screening": ALGORITHM, "penalty": penalty.ALGORITHM},
        "tables": {name: table.digest for name, table in shipped_tables().items()},
        "vehicles": _digest([record.model_dump(mode="json") for record in records]),
        "screenings": {"count": len(found), "sha256": _digest(found)},
        "proposals": {"count": len(proposed), "sha256": _digest(proposed)},
    }


def _digest(documents: list[Any]) -> str:
    return sha256_of(json.dumps(documents, sort_keys=True, ensure_ascii=False).encode())
