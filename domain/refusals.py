"""Why a message is refused, and what its sender can do about it.

A refused message is never dropped: it lies in quarantine with one of these codes, the code and
its detail travel back to the station in the receipt, and both are shown in the web.
"""

from enum import StrEnum
from typing import NamedTuple


class RefusalCode(StrEnum):
    """Stable, published names: stations may act on them (docs/reference/mqtt.md)."""

    UNKNOWN_TOPIC = "unknown-topic"
    UNSUPPORTED_SCHEMA = "unsupported-schema"
    UNSUPPORTED_CONTENT_TYPE = "unsupported-content-type"
    HEADER_MISSING = "header-missing"
    HEADER_INVALID = "header-invalid"
    IDENTITY_MISMATCH = "identity-mismatch"
    UNKNOWN_STATION = "unknown-station"
    UNKNOWN_DEVICE = "unknown-device"
    BROKEN_JSON = "broken-json"
    FIELD_MISSING = "field-missing"
    FIELD_INVALID = "field-invalid"
    NOT_FINITE = "not-finite"
    OUT_OF_RANGE = "out-of-range"
    AXLE_SUM_MISMATCH = "axle-sum-mismatch"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    IMAGE_UNREADABLE = "image-unreadable"
    IMAGE_TRUNCATED = "image-truncated"
    CLIP_UNREADABLE = "clip-unreadable"
    DIGEST_MISMATCH = "digest-mismatch"
    WAVEFORM_BROKEN = "waveform-broken"
    SIGNAL_TOO_SHORT = "signal-too-short"
    SIGNAL_NOT_FINITE = "signal-not-finite"
    SIGNAL_CLIPPED = "signal-clipped"
    SIGNAL_FLAT = "signal-flat"
    SIGNAL_NOT_QUIET = "signal-not-quiet"
    NO_VEHICLE = "no-vehicle"
    AXLES_UNCLEAR = "axles-unclear"
    MOTION_UNCLEAR = "motion-unclear"
    DRIVE_UNUSABLE = "drive-unusable"
    CLOCK_IMPLAUSIBLE = "clock-implausible"
    SEQUENCE_CONFLICT = "sequence-conflict"
    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_UNKNOWN_KEY = "signature-unknown-key"
    SIGNATURE_INVALID = "signature-invalid"
    STORAGE_FAILED = "storage-failed"


class Advice(NamedTuple):
    """One sentence to the sender, in both languages of the web."""

    zh: str
    en: str


ADVICE: dict[RefusalCode, Advice] = {
    RefusalCode.UNKNOWN_TOPIC: Advice(
        "主题不在接口约定之内，请按《MQTT 接口》中的主题发布。",
        "The topic is not part of the contract; publish on the topics of the MQTT reference.",
    ),
    RefusalCode.UNSUPPORTED_SCHEMA: Advice(
        "消息的 schema 版本不受支持，请发送版本 1。",
        "The message's schema version is not supported; send version 1.",
    ),
    RefusalCode.UNSUPPORTED_CONTENT_TYPE: Advice(
        "内容类型不受支持：称重记录用 application/json，图像用 image/jpeg，录像用 video/mp4，"
        "波形用 application/vnd.zhichao.waveform。",
        "Unsupported content type: weigh records are application/json, images image/jpeg, clips video/mp4, "
        "waveforms application/vnd.zhichao.waveform.",
    ),
    RefusalCode.HEADER_MISSING: Advice(
        "缺少消息头：MQTT 5 用用户属性，3.1.1 用带长度前缀的 JSON。",
        "The header is missing: user properties in MQTT 5, length-prefixed JSON in 3.1.1.",
    ),
    RefusalCode.HEADER_INVALID: Advice(
        "消息头有无效字段，请对照接口文档修正。",
        "A header field is invalid; correct it against the MQTT reference.",
    ),
    RefusalCode.IDENTITY_MISMATCH: Advice(
        "主题、消息头中的站点或设备不一致，三者必须相同。",
        "Station or device differ between topic and header; they must agree.",
    ),
    RefusalCode.UNKNOWN_STATION: Advice(
        "站点未登记，请联系平台管理员登记后重发。",
        "The station is not registered; ask the operator to register it.",
    ),
    RefusalCode.UNKNOWN_DEVICE: Advice(
        "设备未登记或不属于该站点，请联系平台管理员。",
        "The device is not registered at this station; ask the operator to register it.",
    ),
    RefusalCode.BROKEN_JSON: Advice(
        "JSON 无法解析，请检查编码（UTF-8）和截断。",
        "The JSON cannot be parsed; check the encoding (UTF-8) and truncation.",
    ),
    RefusalCode.FIELD_MISSING: Advice(
        "缺少必填字段，请补全后用新的序号发送。",
        "A required field is missing; send it complete, with a new sequence number.",
    ),
    RefusalCode.FIELD_INVALID: Advice(
        "字段类型或取值无效，请对照接口文档修正。",
        "A field has the wrong type or value; correct it against the MQTT reference.",
    ),
    RefusalCode.NOT_FINITE: Advice(
        "数值为 NaN 或无穷大；测不出时请置标志，不要发送 NaN。",
        "A number is NaN or infinite; set a flag when a value could not be measured.",
    ),
    RefusalCode.OUT_OF_RANGE: Advice(
        "数值超出物理可能范围（如负重量），请检查单位和传感器。",
        "A value is outside what is physically possible (a negative weight, say); check units and sensor.",
    ),
    RefusalCode.AXLE_SUM_MISMATCH: Advice(
        "各轴重之和与总重不符，请检查丢轴或重复轴。",
        "The axle loads do not add up to the gross mass; check for lost or doubled axles.",
    ),
    RefusalCode.PAYLOAD_TOO_LARGE: Advice(
        "消息超过大小上限，请降低图像分辨率或质量，或缩短波形窗口。",
        "The message is over the size limit; lower the image's resolution or quality, "
        "or shorten the waveform.",
    ),
    RefusalCode.IMAGE_UNREADABLE: Advice(
        "图像无法解码为 JPEG，请检查相机输出。",
        "The image cannot be decoded as JPEG; check the camera's output.",
    ),
    RefusalCode.IMAGE_TRUNCATED: Advice(
        "JPEG 不完整，请检查传输和相机缓存。",
        "The JPEG is incomplete; check the transfer and the camera's buffer.",
    ),
    RefusalCode.CLIP_UNREADABLE: Advice(
        "录像不是完整的 MP4 文件，请检查传输和相机输出。",
        "The clip is no complete MP4 file; check the transfer and the camera's output.",
    ),
    RefusalCode.DIGEST_MISMATCH: Advice(
        "内容的 SHA-256 与消息头声明的不同，内容在途中已改变。",
        "The body's SHA-256 is not the one declared; the content changed on its way.",
    ),
    RefusalCode.WAVEFORM_BROKEN: Advice(
        "波形消息体的二进制结构不符，请对照接口文档检查长度、字节序和采样数。",
        "The waveform's binary layout is broken; check lengths, byte order and the number of samples.",
    ),
    RefusalCode.SIGNAL_TOO_SHORT: Advice(
        "波形太短，无法称重；请在车辆前后各保留一段空载信号。",
        "The waveform is too short to weigh; keep a quiet stretch before and behind the vehicle.",
    ),
    RefusalCode.SIGNAL_NOT_FINITE: Advice(
        "波形中有 NaN 或无穷大的采样值，请检查采集设备。",
        "The waveform has samples that are NaN or infinite; check the converter.",
    ),
    RefusalCode.SIGNAL_CLIPPED: Advice(
        "波形削顶，请降低放大倍数。",
        "The waveform is clipped; lower the amplifier's gain.",
    ),
    RefusalCode.SIGNAL_FLAT: Advice(
        "传感器没有信号，请检查传感器和接线。",
        "Sensors give no signal; check the strips and their cables.",
    ),
    RefusalCode.SIGNAL_NOT_QUIET: Advice(
        "找不到可靠的空载段；请延长窗口并检查基线。",
        "No quiet stretch can be verified in the waveform; lengthen its window and check the baseline.",
    ),
    RefusalCode.NO_VEHICLE: Advice(
        "波形中没有车辆。",
        "There is no vehicle in the waveform.",
    ),
    RefusalCode.AXLES_UNCLEAR: Advice(
        "各传感器给出的轴数不一致，或不足以称重。",
        "The strips do not agree on the axles, or on too few to weigh a vehicle.",
    ),
    RefusalCode.MOTION_UNCLEAR: Advice(
        "车辆行驶方式或速度使其无法称重。",
        "The vehicle's motion or speed does not let it be weighed.",
    ),
    RefusalCode.DRIVE_UNUSABLE: Advice(
        "车辆行驶方式使其无法称重，详情见所识别的行为。",
        "The drive does not let the vehicle be weighed; the detail names what was seen of it.",
    ),
    RefusalCode.CLOCK_IMPLAUSIBLE: Advice(
        "采集时间与平台时间相差过大，请校准站点时钟。",
        "The capture time is implausibly far from the platform's clock; synchronise the station.",
    ),
    RefusalCode.SEQUENCE_CONFLICT: Advice(
        "同一序号已收到不同内容；状态丢失后请更换 epoch。",
        "This sequence number already carried other content; after losing state start a new epoch.",
    ),
    RefusalCode.SIGNATURE_MISSING: Advice(
        "该设备已登记签名密钥，消息必须签名；尚不能签名的，请管理员登记为可选。",
        "The device must sign, having a key registered; where it cannot yet, set it to optional.",
    ),
    RefusalCode.SIGNATURE_UNKNOWN_KEY: Advice(
        "消息所用密钥在采集时未登记、已过期或已吊销，请核对 key_id 并登记。",
        "The key was not registered at the time of capture, or is revoked; check key_id and register it.",
    ),
    RefusalCode.SIGNATURE_INVALID: Advice(
        "设备签名与内容不符：内容在途中已改变，或密钥登记有误。",
        "The device's signature does not hold: the content was changed, or the registered key is wrong.",
    ),
    RefusalCode.STORAGE_FAILED: Advice(
        "消息无法入库，已原样保存在隔离区，等待管理员处理。",
        "The message could not be stored as a record; it is kept as received for the operator.",
    ),
}
