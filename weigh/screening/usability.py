"""Whether a weighing can be relied on at all (domain.md C7), and whether a case may rest on it.

Applied: every driving condition the station flags; speed and lane against the certificate; an axle above
22.7 t (50 kip), a gross mass of nothing or above what the axles could carry, axles that do not add up;
and geometry no truck has. The geometry rules are US data-cleaning figures (Elkins & Higgins), so each is
applied only beyond the spacing's own error: a Chinese twin steering pair at 1.8 m lies well inside.

A case may rest only on a device at a published place (行政处罚法 Art. 41): a site is announced with one
direction and its lanes, so a passage the other way, or on a lane the site does not have, is statistics.

Not applied: speeds outside 16 to 159 km/h, as the certificate's range is the legal bound; an
acceleration figure, as no source gives one and the station flags braking itself.
"""

from weigh.screening.columns import FLAGS, MISSING

MAX_AXLE_KG = 22_700
MIN_FIRST_SPACING_MM = 1_520
MIN_WHEELBASE_MM = 2_130
MAX_LENGTH_MM = 61_000

UNUSABLE = (
    *(flag.value for flag in FLAGS),
    "speed-outside-certificate",
    "lane-not-on-certificate",
    "gross-implausible",
    "axle-load-implausible",
    "axle-sum-mismatch",
    "first-spacing-implausible",
    "wheelbase-implausible",
    "length-implausible",
)
"""Codes of why a weighing is unusable, in the order they are reported."""

OFF_SITE = ("direction-not-registered", "lane-not-at-site")
"""Codes of a passage that was not where the site is announced."""

STATISTICS = (*MISSING, *OFF_SITE)
"""Codes of why no case may rest on a passage, in the order they are reported."""

REASONS = (*UNUSABLE, *STATISTICS)
"""All reasons: those that make a weighing unusable come before those that make it statistics only."""
