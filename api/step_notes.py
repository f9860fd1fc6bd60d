"""The notes of a limit's steps in one language, though the tables and the screening word some in one only.

A note of the tables that begins in Chinese carries both languages, Chinese first. What is not known here is
shown as it is: a note explains a step, the figure and the clause beside it stand on their own.
"""

import re

from api.languages import Language

_BOTH = re.compile(r"([^\x20-\x7e]+) ([\x20-\x7e]+)")
_SINGLE_TYRES = re.compile(r"single tyres on axle ([\d, ]+)")
_AXLE_SUM = re.compile(r"\S+ \d+( \+ \S+ \d+)*")
_CHINESE = {
    "three- and four-axle truck, drive axle with dual tyres and air suspension": (
        "三轴和四轴货车，驱动轴为每侧双轮胎并装备空气悬架"
    ),
    "four-axle articulated, semi-trailer spacing of 1800 mm or more, dual-tyre air drive axle: 37 t": (
        "四轴铰接列车，半挂车两轴间距不小于 1800 mm，驱动轴为每侧双轮胎并装备空气悬架：37 吨"
    ),
    "the site's own lower limit (bridge or road sign)": "站点自身的更低限值（桥梁或道路标志）",
}


def step_note(note: str, language: Language) -> str:
    """Return a step's note for the reader.

    >>> step_note("二轴货车 two-axle truck", "zh-CN")
    '二轴货车'
    >>> step_note("二轴货车 two-axle truck", "en")
    'two-axle truck'
    """
    both = _BOTH.fullmatch(note)
    if both is not None:
        return both[1] if language == "zh-CN" else both[2]
    if language == "en":
        return note
    single = _SINGLE_TYRES.fullmatch(note)
    if single is not None:
        return f"第 {single[1].replace(', ', '、')} 轴为单轮胎"
    if _AXLE_SUM.fullmatch(note):
        return f"各轴组限值之和：{note}"
    return _CHINESE.get(note, note)
