"""Made-up screenings for tests of the case room."""

from domain.screening import Adjudication, AxleGroup, Formula, Outcome, Screening


def screening(
    over_kg: int, *, outcome: Outcome = Outcome.OVERLOADED, axle_over_kg: int = 0, limit_kg: int = 49_000
) -> Screening:
    """Return the screening of a passage `over_kg` over its limit."""
    adjudged_kg = limit_kg + over_kg
    group = AxleGroup(
        first_axle=1,
        axle_count=1,
        tyres=(),
        code="1",
        steering_pair=False,
        spacings_mm=(),
        load_kg=7_000 + axle_over_kg,
        limit_kg=7_000,
        limit_row="gb1589-single",
        over_kg=axle_over_kg,
    )
    return Screening(
        outcome=outcome,
        vehicle_code="157",
        taken_as="train",
        groups=(group,),
        limit_steps=(),
        adjudication=Adjudication(
            measured_gross_kg=adjudged_kg,
            formula=Formula.DEDUCT,
            mpe_ppm=0,
            u_gross_ppm=1,
            guard_k_milli=0,
            after_deduction_kg=adjudged_kg,
            after_guard_kg=adjudged_kg,
            adjudged_kg=adjudged_kg,
            limit_kg=limit_kg,
            over_kg=over_kg,
            over_ppm=over_kg * 1_000_000 // limit_kg,
        ),
        doubts=(),
        reasons=(),
        axle_flags=(1,) if axle_over_kg else (),
        algorithm="test/1",
        tables={},
    )
