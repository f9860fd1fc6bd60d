"""The daily job that has the log's head stamped: an authority that is away is asked again, and only then."""

import asyncio
from datetime import UTC, datetime

import pytest

from domain.errors import ServiceUnavailable
from evidence.audit import Auditor
from evidence.audit_report import Verdict
from evidence.log_copy import FolderCopy
from service.head_stamping import keep_heads_stamped
from tests.fixtures.evidence import Deployment
from tests.unit.evidence.test_log import leaves

pytestmark = pytest.mark.anyio


class _Wayward:
    """A time-stamp authority that does not answer the first times."""

    def __init__(self, deployment: Deployment, away: int) -> None:
        self._authority = deployment.authority
        self.away = away
        self.asked = 0

    def stamp(self, data: bytes) -> bytes:
        """Answer, or not."""
        self.asked += 1
        if self.asked <= self.away:
            raise ServiceUnavailable("the authority is away")
        return self._authority.stamp(data)


async def test_the_days_head_is_stamped_when_the_authority_is_back(deployment: Deployment) -> None:
    deployment.now = datetime.now(UTC)
    log, authority = deployment.folder / "log", _Wayward(deployment, away=3)
    job = asyncio.create_task(keep_heads_stamped(log, authority, every_s=0.01))
    await asyncio.sleep(0.05)
    assert authority.asked == 0  # an empty log has no head
    deployment.log.append(leaves(0, 5))
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if authority.asked > 3:
            break
    await asyncio.sleep(0.1)
    job.cancel()
    assert authority.asked == 4  # and once stamped, not again
    report = Auditor(FolderCopy(log), deployment.trust).audit()
    assert (report.status, report.checks[-1].verdict) == (0, Verdict.HOLDS)
