"""Every random vehicle: the columns and the slow oracle say the same, to the last word."""

from dataclasses import asdict
from random import Random

import pytest

from domain.screening import Formula
from tests.counts import count
from tests.oracles.weigh_oracle import Judgement, screen
from tests.unit.weigh.vehicles import context_choices, random_vehicle, tables_choices
from weigh import DecisionRule, screen_records

VEHICLES = count(200_000, reduced=20_000)
BATCH = 500

RULES = (
    Judgement(),
    Judgement(),
    Judgement(formula="bound", guard_k_milli=2_000, default_u_gross_ppm=25_000),
    Judgement(formula="limit", guard_k_milli=0),
    Judgement(formula="limit", guard_k_milli=3_333, mpe_without_certificate_ppm=70_001),
)


@pytest.mark.parametrize("part", range(4))
def test_agrees_with_the_oracle_on_every_vehicle(part: int) -> None:
    random = Random(f"weigh-oracle-{part}")
    tables, contexts = tables_choices(), context_choices()
    outcomes: dict[str, int] = {}
    for batch in range(VEHICLES // 4 // BATCH):
        records = [random_vehicle(random) for _ in range(BATCH)]
        places = [random.choice(contexts) for _ in records]
        laws = [random.choice(tables) for _ in records]
        judgement = RULES[(part + batch) % len(RULES)]
        rule = DecisionRule(**(asdict(judgement) | {"formula": Formula(judgement.formula)}))
        found = screen_records(records, places, tables=laws, rule=rule)
        for record, place, law, screening in zip(records, places, laws, found, strict=True):
            expected = screen(record, place, law, judgement)
            assert screening.model_dump(mode="json", exclude={"rule"}) == expected, record.model_dump_json()
            outcomes[screening.outcome.value] = outcomes.get(screening.outcome.value, 0) + 1
    # The random vehicles must reach every outcome often, or the agreement would say little.
    assert len(outcomes) == 4
    assert min(outcomes.values()) > VEHICLES // 4 // 20
