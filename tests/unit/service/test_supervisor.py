"""Supervision: a killed child comes back, a hopeless one does not, and nobody outlives the supervisor."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, ServiceUnavailable
from service.settings import environment_of, load_settings
from service.supervisor import Program, Supervisor

pytestmark = pytest.mark.anyio

_CHILD = '''
"""A child for tests."""
import asyncio, os, sys
from pathlib import Path
from service.lifeline import run_child
from domain.errors import ConfigurationError

async def body(announce):
    mark = Path(sys.argv[1])
    with mark.open("a") as file:
        file.write(f"started {os.getpid()}\\n")
    if "hopeless" in sys.argv:
        raise ConfigurationError("no such thing")
    if "mute" in sys.argv:
        return
    announce(pid=os.getpid())
    try:
        await asyncio.Event().wait()
    finally:
        with mark.open("a") as file:
            file.write(f"ended {os.getpid()}\\n")

sys.exit(run_child(body, supervised=True))
'''


@pytest.fixture
def child(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return where the child writes its marks, and the environment it can be imported in."""
    (tmp_path / "child_of_test.py").write_text(_CHILD)
    root = Path(__file__).resolve().parents[3]
    environment = environment_of(load_settings()) | {"PYTHONPATH": f"{tmp_path}:{root}"}
    return tmp_path / "marks", environment


def _program(child: tuple[Path, dict[str, str]], *arguments: str) -> Program:
    marks, environment = child
    return Program("child", "child_of_test", environment, arguments=(str(marks), *arguments))


async def _restarted(supervisor: Supervisor) -> None:
    while True:
        if supervisor.children["child"].restarts:
            return
        await asyncio.sleep(0.02)


async def _gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.02)


async def test_a_killed_child_is_started_again_and_ended_cleanly(
    child: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    supervisor = Supervisor(tmp_path / "logs")
    first = (await supervisor.start(_program(child)))["pid"]
    os.kill(first, signal.SIGKILL)
    await _restarted(supervisor)
    second = supervisor.children["child"].facts["pid"]
    assert second != first
    await supervisor.stop()
    await _gone(second)
    lines = child[0].read_text().splitlines()
    assert lines == [f"started {first}", f"started {second}", f"ended {second}"]


async def test_a_child_with_a_hopeless_configuration_is_not_tried_again(
    child: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    supervisor = Supervisor(tmp_path / "logs")
    with pytest.raises(ConfigurationError, match="child"):
        await supervisor.start(_program(child, "hopeless"))
    assert len(child[0].read_text().splitlines()) == 1
    assert "no such thing" in (tmp_path / "logs" / "child.log").read_text()


async def test_a_child_that_ends_before_it_is_ready_is_an_error(
    child: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    with pytest.raises(ServiceUnavailable, match="before it was ready"):
        await Supervisor(tmp_path / "logs").start(_program(child, "mute"))


async def test_children_end_when_the_supervisor_is_killed(
    child: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    marks, environment = child
    script = tmp_path / "supervisor_of_test.py"
    script.write_text(
        "import asyncio, os\n"
        "from pathlib import Path\n"
        "from service.supervisor import Program, Supervisor\n"
        "async def main():\n"
        f"    supervisor = Supervisor(Path({str(tmp_path / 'logs')!r}))\n"
        f"    program = Program('child', 'child_of_test', dict(os.environ), arguments=({str(marks)!r},))\n"
        "    print((await supervisor.start(program))['pid'], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, script, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    pid = int(await supervisor.stdout.readline())
    supervisor.kill()
    await supervisor.wait()
    await _gone(pid)
    assert f"ended {pid}" in marks.read_text()
