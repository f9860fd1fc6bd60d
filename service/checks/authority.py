"""Check of the time stamp authority: how long its root and its certificate are still valid."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from domain.errors import EvidenceBroken, ZhichaoError
from evidence.head_stamps import newest_token
from evidence.keys import load_certificate
from evidence.timestamp import certificate_in
from service.checks.finding import Finding, fine, warning, wrong
from service.settings import Settings

_ADVICE = (
    "have the heads of the log time-stamped by the next authority before that day "
    "(docs/how-to/change-keys.md, change the time stamp authority)"
)


def check_authority(settings: Settings, now: datetime) -> list[Finding]:
    """Find a root or certificate of the configured authority that ends soon, or has ended."""
    if not settings.keys_root.exists():
        return []
    path = settings.tsa_certificate_file or settings.keys_root / "tsa-root.crt"
    try:
        root = load_certificate(path)
    except ZhichaoError:
        return []  # told by the checks of files and keys
    looked_at = [(f"the authority's root in {path}", root.not_valid_after_utc), *_signing(settings.log_root)]
    notice = timedelta(days=settings.tsa_notice_days)
    return [_finding(what, ends, now, notice) for what, ends in looked_at]


def _finding(what: str, ends: datetime, now: datetime, notice: timedelta) -> Finding:
    if ends <= now:
        return wrong(
            "time stamps", f"{what} ended on {ends:%Y-%m-%d}; what it stamps is not believed", _ADVICE
        )
    if ends - now <= notice:
        return warning("time stamps", f"{what} ends on {ends:%Y-%m-%d}", _ADVICE)
    return fine("time stamps", f"{what} is valid until {ends:%Y-%m-%d}")


def _signing(log_folder: Path) -> Iterator[tuple[str, datetime]]:
    """Yield the end of the certificate that the token of the newest stamped head carries."""
    try:
        token = newest_token(log_folder)
        if token is not None:
            ends = certificate_in(token).not_valid_after_utc
            yield "the certificate by which the newest head of the log was stamped", ends
    except (EvidenceBroken, OSError):
        return  # told by the auditor
