"""Run another Python module that must not outlive its supervisor: ``python -m service.leash MODULE ARG...``.

The module itself need know nothing of it: when the pipe on standard input ends, it gets SIGTERM.
"""

import os
import runpy
import signal
import sys

from service.lifeline import when_supervisor_ends


def main() -> None:
    """Replace this program's name and arguments by the module's, and run it."""
    module, arguments = sys.argv[1], sys.argv[2:]
    when_supervisor_ends(lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
