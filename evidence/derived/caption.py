"""The words under a composite: what was measured, where and when, and that no person has looked at it yet."""

from datetime import timedelta, timezone
from typing import NamedTuple

from domain.events import MessageHeader, WeighRecord
from domain.plates import PlateReading
from domain.registry import StationContext
from domain.screening import Adjudication
from domain.units import PPM

_BEIJING = timezone(timedelta(hours=8), "北京时间")
_NOT_READ = "未识读"


class Caption(NamedTuple):
    """What the words are made of."""

    header: MessageHeader
    record: WeighRecord
    context: StationContext
    mass: Adjudication
    reading: PlateReading
    code: str
    """The anti-forgery code."""


def caption_lines(caption: Caption) -> tuple[str, ...]:
    """Return the lines, in Chinese; each holds what GA/T 832-2014 is said to want of an image's overlay.

    The standard's own text on overlays was not read: time to 0.1 s, place, direction, lane, device and
    anti-forgery code follow a secondary description of it.
    """
    return tuple(
        "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
        for line in (_when_and_where(caption), *_weighed(caption), _plates(caption), _belonging(caption))
    )


def _when_and_where(caption: Caption) -> str:
    header, site = caption.header, caption.context.site
    local = header.captured_at.astimezone(_BEIJING)
    tenth = local.microsecond // 100_000
    return (
        f"时间 {local:%Y-%m-%d %H:%M:%S}.{tenth} 北京时间  地点 {site.road} {site.stake} {site.name}  "
        f"方向 {caption.record.direction}  车道 {caption.record.lane}  设备 {header.station}/{header.device}"
    )


def _weighed(caption: Caption) -> tuple[str, str]:
    record, mass = caption.record, caption.mass
    loads = " + ".join(str(axle.load_kg) for axle in record.axles)
    # Rounded up: to the party's favour.
    u_kg = -(-mass.measured_gross_kg * mass.u_gross_ppm // PPM)
    certificate = caption.context.certificate
    return (
        f"轴载 {loads} kg  总质量 {mass.measured_gross_kg} kg  标准不确定度 {u_kg} kg",
        f"认定质量 {mass.adjudged_kg} kg  限值 {mass.limit_kg} kg  "
        f"检定证书 {'无' if certificate is None else certificate.number}",
    )


def _plates(caption: Caption) -> str:
    reading = caption.reading
    trailer = f"  挂车 {reading.trailer_text}" if reading.trailer_text else ""
    return f"号牌 {reading.text or _NOT_READ}{trailer}（机器识读，未经人工核对）"


def _belonging(caption: Caption) -> str:
    return (
        f"防伪码 {caption.code}  事件 {caption.header.event_id}  "
        "本图为合成件，筛查结果未经审核，以原始图像为准"
    )
