"""What hangs behind a request holds up neither the loop nor, for ever, the one who asks."""

import asyncio
import threading

import pytest

from api.app import STATUS
from api.languages import Language
from api.refusals import sentence_for
from api.turns import TookTooLong, Turns
from domain.errors import EvidenceBroken, ServiceUnavailable

pytestmark = pytest.mark.anyio

CHINESE: Language = "zh-CN"


async def test_work_that_hangs_is_answered_with_504_and_keeps_its_turn_until_it_ends() -> None:
    turns, released = Turns(1, wait_s=0.01, work_s=0.01), threading.Event()
    try:
        with pytest.raises(TookTooLong) as late:
            await turns.run(released.wait)
        with pytest.raises(ServiceUnavailable, match="at the same time") as busy:
            await turns.run(int)
    finally:
        released.set()
    assert (STATUS[TookTooLong], STATUS[type(busy.value)]) == (504, 503)
    assert sentence_for(late.value, CHINESE) == "处理超时，请稍后重试；若多次出现，请通知管理员。"
    assert sentence_for(busy.value, CHINESE) == "同时进行的计算过多，请稍后重试。"
    patient = Turns(1, wait_s=60, work_s=60)
    assert await asyncio.gather(*(patient.run(int, one) for one in "123")) == [1, 2, 3]


async def test_what_the_work_raises_is_raised_and_gives_the_turn_back() -> None:
    def broken() -> None:
        raise EvidenceBroken("it does not hold")

    turns = Turns(1, wait_s=60, work_s=60)
    for _ in range(2):
        with pytest.raises(EvidenceBroken):
            await turns.run(broken)
