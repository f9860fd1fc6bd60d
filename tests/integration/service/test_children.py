"""What each child process is told: the settings it needs, and no secret it has no use for."""

from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.supervisor import Program, Supervisor
from service.system import Part, start_system
from tests.integration.service.running import free_port

pytestmark = pytest.mark.anyio


class _Recording(Supervisor):
    """Writes down what it is to start, and starts nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.programs: dict[str, Program] = {}

    async def start(self, program: Program) -> dict[str, Any]:
        self.programs[program.name] = program
        return {}


async def test_only_what_uses_the_database_is_told_its_password(database_url: str, tmp_path: Path) -> None:
    supervisor = _Recording()
    settings = Settings.model_validate(
        {
            "data": tmp_path,
            "database_url": database_url,
            "broker_port": free_port(),
            "broker_port_311": free_port(),
        }
    )
    await start_system(supervisor, settings, parts=frozenset({Part.INGEST, Part.WORK}))
    told = {
        name: database_url in program.environment.values() for name, program in supervisor.programs.items()
    }
    assert told == {"broker": False, "ingest": True, "work": True}
