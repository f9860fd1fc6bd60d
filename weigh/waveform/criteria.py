"""Where a number is still trusted: thresholds of the waveform processing, in one place.

None of these comes from a standard: they follow from the physics stated beside each, or were chosen on
simulated drives (docs/explanation/weighing.md) and are configuration, to be set anew on a site's own data.
"""

from typing import NamedTuple


class Criteria(NamedTuple):
    """Thresholds of detection, matching and manoeuvres; a tuple, so that kernels take it whole.

    Attributes
    ----------
    fastest_m_s, shortest_contact_m
        The shortest pulse that must be found whole lasts (contact + strip width) / fastest; what is faster
        (130 km/h, which no truck drives) is not weighed.
    slowest_m_s
        Below it a passage is not weighed: the pulse area depends on the speed at every moment.
    threshold_sigmas, threshold_peak
        A block counts as loaded above the larger of this many noise sds and this part of the strip's peak.
    edge_sigmas, edge_peak
        Down to which a pulse is followed on both sides, in the same terms.
    unsteady_part
        Part of a pulse that a step of the baseline under it may make before the strip is left out.
    fewest_strips
        Strips that must tell the same axles.
    acceleration_m_s2, residual_m
        Beyond which the speed changed too hard: braking moves load between axles, and the speed under each
        pulse is no longer known. The residual is the root mean square distance of the strip hits from
        constant acceleration; timing makes millimetres of it, most where an axle all but leaves the road.
    longest_contact_m
        A pulse wider than this contact at `slowest_m_s` stood still meanwhile.
    centred
        Detuning of the lane's own loops below which the vehicle was not whole in its lane.
    loop_margin_m
        By how much an axle must lie outside what the loops say of the vehicle to belong to another.
    longest_overhang_m
        A loop that says more than this before the first axle or behind the last was held by something else
        than the vehicle, and tells nothing of where it begins and ends. An assumption, chosen wide.
    most_clipped
        Strips at their converter's end that may be missed. More are a load beyond the converters' range, and
        the strips left are those on which it bounced low: what they say is low by several percent.
    silence_m
        Without loops: how far behind the last axle the road must be known to be empty.
    """

    fastest_m_s: float = 36.0
    shortest_contact_m: float = 0.18
    slowest_m_s: float = 1.5
    threshold_sigmas: float = 8.0
    threshold_peak: float = 0.04
    edge_sigmas: float = 2.5
    edge_peak: float = 0.002
    unsteady_part: float = 0.02
    fewest_strips: int = 2
    acceleration_m_s2: float = 1.0
    residual_m: float = 0.008
    longest_contact_m: float = 0.30
    centred: float = 0.8
    loop_margin_m: float = 0.5
    longest_overhang_m: float = 6.0
    most_clipped: int = 1
    silence_m: float = 12.0
