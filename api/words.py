"""Codes in the words of the page, both languages; a code without words is shown as it is."""

import re

from api.languages import Language
from cases.reasons import BY_CODE, CONFIRMED
from cases.states import NAMES
from domain.casework import CaseState
from domain.refusals import ADVICE, RefusalCode

_WORDS: dict[str, tuple[str, str]] = {
    # roles of captures
    "front": ("前部", "Front"),
    "rear": ("尾部", "Rear"),
    "side": ("侧面", "Side"),
    "plate": ("号牌特写", "Plate"),
    "panorama": ("全景", "Panorama"),
    "clip": ("录像", "Clip"),
    "no-panorama-image": ("缺全景图像", "No panorama image"),
    "no-plate-image": ("缺号牌特写图像", "No plate close-up"),
    # rules of retention
    "retention-hit-without-case": ("未成案证据保存期限", "evidence that made no case"),
    "retention-rejected-case": ("已驳回案件保存期限", "rejected case"),
    "retention-confirmed-case": ("已确认案件保存期限", "confirmed case"),
    # what the completeness gate misses
    "no-front-image": ("缺前部图像", "No front image"),
    "no-rear-image": ("缺尾部图像", "No rear image"),
    "no-side-image": ("缺侧面图像", "No side image"),
    "too-few-images": ("图像数量不足", "Too few images"),
    "no-plate-crop": ("未定位到号牌", "No plate found in any image"),
    "no-clip": ("缺录像", "No clip"),
    "no-clip-or-second-image": ("缺录像或同向第二幅图像", "No clip and no second image from one side"),
    "no-weigh-record": ("缺称重记录", "No weigh record"),
    "clock-unreliable": ("站点时钟不可信", "Station clock not reliable"),
    "drift-alarm": ("称重漂移报警", "Drift alarm on"),
    "no-calibration": ("无生效的校准", "No calibration in force"),
    "calibration-mismatch": (
        "校准与传感器布局或信号单位不符",
        "Calibration is of other strips or another unit",
    ),
    "calibration-unreadable": ("校准无法使用", "Calibration cannot be read or used"),
    "calibration-too-few-passes": ("校准所依据的称重车次不足", "Calibration rests on too few weighed passes"),
    "calibration-too-old": ("校准已超过最长使用期限", "Calibration is too old"),
    "temperature-not-covered": ("温度超出校准范围", "Temperature outside the calibration"),
    "speed-outside-table": ("速度超出校准范围", "Speed outside the calibration"),
    "no-strip-alive": ("无可用传感器", "No strip in use"),
    "no-axle": ("未识别出车轴", "No axle found"),
    "axle-type-unknown": ("车轴类型无法判定", "Axle type cannot be told"),
    "load-not-finite": ("轴荷无法计算", "Axle load cannot be computed"),
    "load-not-positive": ("轴荷计算值不为正", "Axle load comes out not positive"),
    "no-loop": ("无线圈佐证，不能排除两车相连", "No loop shows that it is one vehicle"),
    "straddling-open": ("不能排除跨道行驶", "Straddling cannot be excluded"),
    "strips-clipped": ("多个传感器超出量程", "Several strips beyond their range"),
    "strips-inconsistent": ("各传感器读数不一致", "Strips contradict one another"),
    "uncertainty-implausible": ("不确定度小得不可信", "Uncertainty too small to be believed"),
    "waveform-not-read": ("波形未能处理", "Waveform could not be processed"),
    "no-certificate": ("当日无有效检定证书", "No certificate valid that day"),
    "no-announcement": ("当日站点未公告", "Site not announced that day"),
    "no-legal-basis": ("当日无执法依据", "No legal basis that day"),
    # evidence that is not what the deployment's policy asks for
    "policy-device": ("报文无设备签名，不符合本单位策略", "Not signed by its devices, as the policy asks"),
    "policy-sm2": ("无国密 SM2 签名，不符合本单位策略", "No SM2 signature, as the policy asks"),
    "policy-manifest-sm3": ("SM3 清单不符合本单位策略", "SM3 manifest not as the policy asks"),
    "policy-times": ("时间间隔超出本单位策略", "Time stamp later than the policy allows"),
    "policy-witness-time": ("见证时间超出本单位策略", "Witness later than the policy allows"),
    # a passage that was not where the site is announced
    "direction-not-registered": ("行驶方向与站点登记不符", "Not the direction the site is registered with"),
    "lane-not-at-site": ("车道不在站点登记范围内", "Not a lane of the site"),
    # roles of people
    "reviewer": ("审核员", "Reviewer"),
    "supervisor": ("监督员", "Supervisor"),
    "administrator": ("管理员", "Administrator"),
    # liable party
    "owner": ("车辆所有人", "Vehicle owner"),
    "driver": ("驾驶人", "Driver"),
    "unsettled": ("未定（本省无规定）", "Unsettled (no provincial rule)"),
    # taken as
    "truck": ("货车", "Truck"),
    "train": ("汽车列车", "Train"),
    # formulas
    "deduct": ("m × (1 − MPE)", "m × (1 − MPE)"),
    "bound": ("m ÷ (1 + MPE)", "m ÷ (1 + MPE)"),
    "limit": ("与 L × (1 + t) 比较", "against L × (1 + t)"),
    # stations
    "online": ("在线", "Online"),
    "offline": ("离线", "Offline"),
    "up": ("上行", "up"),
    "down": ("下行", "down"),
    "wim": ("称重设备", "WIM system"),
    "camera": ("相机", "Camera"),
    "gateway": ("网关", "Gateway"),
    # a case's life
    "lead-opened": ("线索生成", "Lead opened"),
    "claimed": ("领取", "Claimed"),
    "released": ("交回", "Handed back"),
    "reviewed": ("完成一轮审核", "Reviewed"),
    # verdicts
    "confirm": ("确认超限", "Overload confirmed"),
    "reject": ("驳回", "Rejected"),
    CONFIRMED: ("事实清楚、证据充分", "Facts clear, evidence sufficient"),
    # plate classes
    "large": ("大型汽车（黄牌）", "Large vehicle (yellow)"),
    "trailer": ("挂车（黄牌双层）", "Trailer (yellow, two rows)"),
    "small": ("小型汽车（蓝牌）", "Small vehicle (blue)"),
    "nev-small": ("小型新能源（绿牌）", "Small new-energy (green)"),
    "nev-large": ("大型新能源（黄绿牌）", "Large new-energy (yellow-green)"),
    "other": ("其他", "Other"),
    "unknown": ("未知", "Unknown"),
    # layers of a seal
    "layout": ("文件清单", "Files, closed world"),
    "manifest": ("内容摘要", "Payload digests"),
    "tag-manifest": ("清单摘要", "Tag manifest"),
    "bag-info": ("包信息", "Bag information"),
    "event": ("事件编号", "Event"),
    "derived": ("派生图像", "Derived views"),
    "predecessor": ("前后相承", "Predecessor"),
    "statement": ("签名声明", "Signed statement"),
    "time-stamp": ("可信时间戳", "Trusted time stamp"),
    "times": ("时间先后", "Order of times"),
    "entry": ("日志条目", "Log entry"),
    "inclusion": ("日志包含证明", "Proof of inclusion"),
    "checkpoint": ("日志检查点", "Log checkpoint"),
    "witness": ("见证签名", "Witness cosignature"),
    "witness-time": ("见证时间", "Witness time"),
    "keys": ("密钥有效期", "Life of the keys"),
    "device": ("设备签名", "Device signatures"),
    "manifest-sm3": ("国密摘要", "SM3 digests"),
    "sm2": ("国密签名", "SM2 signature"),
    "package": ("证据包", "Package"),
    # what was found of a device's own signature
    "device-valid": ("有效", "valid"),
    "device-absent": ("未签名", "not signed"),
    "device-unknown-key": ("密钥未登记", "key not registered"),
    # doubts of a screening
    "kind-unknown": ("货车或列车不明", "Truck or train not known"),
    "kind-against-axles": ("上报的车型（货车或列车）存疑", "Reported kind (truck or train) in doubt"),
    "tyres-unknown": ("轮胎单双不明", "Tyres not known"),
    "tyre-width-unknown": ("单胎宽度不明", "Width of single tyres not known"),
    "drive-unknown": ("驱动轴不明", "Drive axles not known"),
    "suspension-unknown": ("悬架不明", "Suspension not known"),
    "grouping-open": ("轴组划分有两种可能", "Axles can be grouped in two ways"),
    "spacing-band-open": ("轴距处于两档之间", "Spacing lies between two bands"),
    "close-axles-beyond-table": ("近距轴超出表列", "Close axles beyond the table"),
    "uncertainty-undeclared": ("站点未申报不确定度", "Station declares no uncertainty"),
    "axle-sum-unconfirmed": ("轴限之和未经确认（千克）", "Sum of axle limits unconfirmed (kg)"),
    # sealing
    "built": ("已组包", "Built"),
    "awaiting-time": ("待时间戳", "Awaiting time stamp"),
    "stamped": ("已加时间戳", "Stamped"),
    "logged": ("已入日志", "Logged"),
    "complete": ("已封存", "Sealed"),
}

_CLAUSES = (
    (re.compile(r"Order 62 \(2016\) ?"), "交通运输部令2016年第62号"),
    (re.compile(r"Art\. (\d+) ?"), r"第\1条"),
    (re.compile(r"para\. (\d+) ?"), r"第\1款"),
    (re.compile(r"item (\d+) ?"), r"第\1项"),
)


def word(code: str, language: Language) -> str:
    """Return a code's words."""
    reason = BY_CODE.get(code)
    if reason is not None and code != "other":
        return reason.zh if language == "zh-CN" else reason.en
    plain, colon, figure = code.partition(":")
    pair = _WORDS.get(plain)
    if pair is None:
        return code
    words = pair[0] if language == "zh-CN" else pair[1]
    return f"{words}: {figure}" if colon else words


def state_name(state: CaseState | str, language: Language) -> str:
    """Return the name of a case's state."""
    name = NAMES[CaseState(state)]
    return name.zh if language == "zh-CN" else name.en


def clause_words(clause: str, language: Language) -> str:
    """Return a clause as the tables cite it, in the reader's language.

    >>> clause_words("Order 62 (2016) Art. 3 para. 1 item 8", "zh-CN")
    '交通运输部令2016年第62号第3条第1款第8项'
    """
    if language == "en":
        return clause
    for pattern, words in _CLAUSES:
        clause = pattern.sub(words, clause)
    return clause


def refusal_advice(code: str, language: Language) -> str:
    """Return what the sender of a refused message can do about it."""
    try:
        advice = ADVICE[RefusalCode(code)]
    except (ValueError, KeyError):
        return ""
    return advice.zh if language == "zh-CN" else advice.en
