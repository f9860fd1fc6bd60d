"""What was concluded of a vehicle, computed again from its package alone and compared to the last digit.

    package      reads what it holds: messages as received, calibration, station's facts, law's tables
    algorithms   the versions this software can run, by the names that packages seal
    derive       message -> weights -> screening -> completeness -> penalty, by the same functions as live
    compute      all of this, and what is beside the event: messages' digests, papers out of force
    steps        each step in words and numbers, beside what was decided
    report       all of it for people and for programs

Whether a package is genuine is not asked here; that is what `evidence.verify_package` says.
"""

from service.recomputation.compute import recompute
from service.recomputation.report import as_json, as_text
from service.recomputation.steps import Recomputation, Step

__all__ = ["Recomputation", "Step", "as_json", "as_text", "recompute"]
