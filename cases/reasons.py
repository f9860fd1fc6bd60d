"""Why a lead is rejected: nine reasons, one digit each, so that rejections can be counted and compared."""

from typing import NamedTuple

CONFIRMED = "facts-clear"
"""Reason stored with every confirmation: the facts are clear (行政处罚法 Art. 40)."""


class RejectReason(NamedTuple):
    """One reason; `digit` is its key on the review page."""

    digit: int
    code: str
    zh: str
    en: str
    clause: str


REJECT_REASONS: tuple[RejectReason, ...] = (
    RejectReason(
        1, "plate-unreadable", "号牌无法辨认或被遮挡", "Plate unreadable or obscured", "行政处罚法 40"
    ),
    RejectReason(
        2, "vehicle-mismatch", "图像与称重车辆不是同一辆", "Images show another vehicle", "行政处罚法 41"
    ),
    RejectReason(3, "weighing-unreliable", "称重结果不可靠", "Weighing not reliable", "行政处罚法 41"),
    RejectReason(4, "axles-wrong", "轴型或轴数识别错误", "Axle configuration wrong", "62号令 3"),
    RejectReason(
        5,
        "evidence-incomplete",
        "证据不完整或封存校验未通过",
        "Evidence incomplete or seal broken",
        "行政处罚法 41",
    ),
    RejectReason(
        6,
        "exempt",
        "依法不认定为超限（许可、专用作业车等）",
        "Exempt by law (permit, special vehicle)",
        "62号令 3",
    ),
    RejectReason(
        7, "same-trip", "同一趟次已有线索（一事不再罚）", "Same trip already a case", "行政处罚法 29"
    ),
    RejectReason(
        8, "site-not-in-force", "站点当日不具备执法条件", "Site not in force that day", "行政处罚法 41"
    ),
    RejectReason(9, "other", "其他（须填写说明）", "Other (a note is required)", "行政处罚法 40"),
)

BY_CODE = {reason.code: reason for reason in REJECT_REASONS}
