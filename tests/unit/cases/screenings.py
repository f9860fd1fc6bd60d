"""Made-up screenings for tests of the case room."""

from domain.screening import SITE_ROW, Adjudication, AxleGroup, Formula, LimitStep, Outcome, Screening

ITEM = "Order 62 (2016) Art. 3 para. 1 item 8"
SIGN = "Order 62 (2016) Art. 27"


def screening(
    over_kg: int,
    *,
    outcome: Outcome = Outcome.OVERLOADED,
    axle_over_kg: int = 0,
    limit_kg: int = 49_000,
    site_limit_kg: int | None = None,
) -> Screening:
    """Return the screening of a passage `over_kg` over `limit_kg`, the limit of Art. 3.

    A lower limit of the site decides in its place, so that the screening's own excess is larger.
    """
    adjudged_kg = limit_kg + over_kg
    steps = [
        LimitStep(row="order62-3-train-6", clause=ITEM, amount_kg=limit_kg, running_kg=limit_kg, note="")
    ]
    deciding_kg = limit_kg
    if site_limit_kg is not None:
        lowered_kg, deciding_kg = limit_kg - site_limit_kg, site_limit_kg
        steps.append(
            LimitStep(
                row=SITE_ROW, clause=SIGN, amount_kg=-lowered_kg, running_kg=site_limit_kg, note="bridge"
            )
        )
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
        limit_steps=tuple(steps),
        adjudication=Adjudication(
            measured_gross_kg=adjudged_kg,
            formula=Formula.DEDUCT,
            mpe_ppm=0,
            u_gross_ppm=1,
            guard_k_milli=0,
            after_deduction_kg=adjudged_kg,
            after_guard_kg=adjudged_kg,
            adjudged_kg=adjudged_kg,
            limit_kg=deciding_kg,
            over_kg=adjudged_kg - deciding_kg,
            over_ppm=(adjudged_kg - deciding_kg) * 1_000_000 // deciding_kg,
        ),
        doubts=(),
        reasons=(),
        axle_flags=(1,) if axle_over_kg else (),
        algorithm="test/1",
        tables={},
    )
