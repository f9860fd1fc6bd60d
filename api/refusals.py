"""Why something was refused, as a sentence in the reader's language.

Errors are worded in English where they are raised, for logs and tools. A Chinese page shows a Chinese
sentence first and the English detail beside it: the sentence of the known reason or, where a message is not
known here, that of its class.
"""

import re

from api.access import SignInNeeded
from api.auth import SignInBlocked, SignInRefused
from api.languages import Language
from domain.errors import (
    ConflictingChange,
    EvidenceBroken,
    InputRefused,
    NotFound,
    NotPermitted,
    RuleViolation,
    ServiceUnavailable,
)

_BY_CLASS: dict[type[Exception], str] = {
    SignInNeeded: "请先登录。",
    SignInRefused: "账号或密码错误。",
    SignInBlocked: "登录失败次数过多，请稍后再试。",
    NotFound: "所查内容不存在。",
    NotPermitted: "您无权进行此操作。",
    ConflictingChange: "内容已被更改，请重新查看后再作决定。",
    RuleViolation: "法律或流程不允许此操作。",
    InputRefused: "输入内容无法接受。",
    EvidenceBroken: "证据校验未通过，请通知管理员。",
    ServiceUnavailable: "数据库或其他服务暂无响应，请稍后重试。",
}

_BY_REASON = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"sign in first", "请先登录。"),
        (r"the session has ended", "登录已过期，请重新登录。"),
        (r"the Authorization header", "Authorization 头无效。"),
        (r"the form is too old or not from this site", "表单已过期或不是来自本站，请刷新页面后重试。"),
        (r"the page's record of what was shown is damaged", "页面内容记录已损坏，请刷新页面。"),
        (r"no flagged passage has this image", "没有超限过车记录使用此图像。"),
        (r"this passage has no sealed package", "本次过车尚无已封存的证据包。"),
        (r"there is no passage", "没有此过车记录。"),
        (r"there is no case", "没有此案件。"),
        (r"there is no account", "账号不存在或已停用。"),
        (r"the passage (\S+ )?of case", "本案的过车记录不在本系统中。"),
        (r"`after` is not a value", "翻页参数无效，请从第一页开始。"),
        (r"the role \S+ may not review", "您的角色不能审核案件，请使用审核员账号登录。"),
        (r"this account belongs to no officer", "本账号未关联执法人员，请管理员在账号中指定。"),
        (
            r"officer \S+ has no law-enforcement licence",
            "该执法人员今日无有效执法证（行政处罚法第四十二条）。",
        ),
        (r"another reviewer holds this case", "本案已由其他审核员领取，请领取下一件。"),
        (r"your claim on this case has ended", "您的领取已到期；请重新领取，草稿已保留。"),
        (
            r"you have reviewed this case|this officer has reviewed the case",
            "您已审核过本案的前一轮，本轮须由另一名执法人员审核（行政处罚法第四十二条）。",
        ),
        (r"this idempotency key", "本次提交的编号已用于另一决定，请刷新页面。"),
        (r"the note is longer", "说明过长，请缩短。"),
        (r"the note holds a NUL", "说明中含有无效字符，请删除。"),
        (r"a rejection needs one of the nine reasons", "驳回须在九项理由中选择一项。"),
        (r"the reason 'other' needs a note", "选择“其他”须填写说明。"),
        (r"the case has moved on", "本案已有新的进展，请重新查看后再作决定。"),
        (r"changed since it was shown", "您查看之后案件内容已有变化，请重新核对后再作决定。"),
        (
            r"the package does not verify.*; such a case can only be rejected",
            "封存校验未通过，本案只能驳回。",
        ),
        (r"this round of review is already decided", "本轮审核已有决定，请刷新页面。"),
        (r"the case is already", "本案已办结，不再审核。"),
        (r"round \d+ of review needs", "本轮审核意见数量不符，请通知管理员。"),
        (
            r"this is a trailer's plate",
            "这是挂车号牌；请输入机动车（货车或牵引车）本身的号牌，无法辨认的按理由 1 驳回。",
        ),
        (
            r"name the whole plate of a vehicle",
            "请写明完整号牌：省份简称、字母及五至六位号码，挂车以“挂”结尾。",
        ),
        (r"type the whole plate", "请按图像输入完整号牌；无法辨认的，按理由 1 驳回。"),
        (r"say in a line each to whom", "请各用一行写明接收单位和理由。"),
        (r"the package does not verify", "证据包校验未通过，不得对外提供。"),
        (
            r"the package \S+ cannot be checked on this machine",
            "本机暂时无法校验该证据包，并不说明证据有问题；请通知管理员，稍后重试。",
        ),
        (r"the package is not the one", "证据包与封存时不一致，不得对外提供。"),
        (r"this session holds no signing key", "本次登录没有签名密钥，请重新登录。"),
        (r"your signing key has ended", "您的签名密钥已终止，请重新登录以取得新密钥。"),
        (r"a password has at most", "密码不得超过 1024 个字符。"),
        (r"the account (\S+ )?was changed", "登录期间账号已被更改，请重新登录。"),
        (r"too many sign-ins at this moment", "当前登录人数过多，请稍候几秒再试。"),
        (r"too much of this is being computed", "同时进行的计算过多，请稍后重试。"),
        (r"this did not end within", "处理超时，请稍后重试；若多次出现，请通知管理员。"),
        (r"the database broke off", "数据库暂无响应，请稍后重试。"),
    )
)


def sentence_for(error: Exception, language: Language) -> str | None:
    """Return a Chinese sentence for a refusal; None in English, where the error's own text says it."""
    if language == "en":
        return None
    text = str(error)
    for pattern, sentence in _BY_REASON:
        if pattern.match(text):
            return sentence
    return next((_BY_CLASS[kind] for kind in type(error).__mro__ if kind in _BY_CLASS), None)


def known_reason(text: str) -> bool:
    """Say whether a message has a sentence of its own."""
    return any(pattern.match(text) for pattern, _ in _BY_REASON)
