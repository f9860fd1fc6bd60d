"""A part that cannot start takes the others with it: one error that names it, and no process left behind."""

from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from tests.integration.service.running import processes_of, running_system

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


async def test_a_worker_without_an_engine_ends_the_whole_set(server_folder: Path) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with running_system(server_folder, ocr_engine="abacus"):
            pytest.fail("the set runs without its worker")
    assert raised.group_contains(ConfigurationError, match="work cannot start")
    assert "abacus" in (server_folder / "logs" / "work.log").read_text()
    assert processes_of(server_folder) == []
