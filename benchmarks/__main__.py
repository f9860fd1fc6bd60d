"""`python -m benchmarks NAME [arguments]`: run one benchmark."""

import importlib
import sys
from pathlib import Path
from typing import cast

from benchmarks.result import Result


def names() -> list[str]:
    """Every benchmark there is."""
    here = Path(__file__).parent
    return sorted(path.stem for path in here.glob("[a-z]*.py") if path.stem != "result")


def main(arguments: list[str]) -> int:
    """Run the named benchmark, print its result as the last line, say by the exit code whether it holds."""
    if not arguments or arguments[0] not in names():
        print(f"usage: make bench NAME=<one of: {', '.join(names())}> [ARGS=...]", file=sys.stderr)
        return 2
    module = importlib.import_module(f"benchmarks.{arguments[0]}")
    result = cast(Result, module.main(arguments[1:]))
    print(result.line())
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
