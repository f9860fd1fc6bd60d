"""The third-party licence list: `python -m tests.licences` checks it, `--write` renews it.

Every distribution of the environment must stand in docs/reference/licences.md with the licence its
own metadata declares, and that licence must be one that Apache-2.0 software may be distributed with.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).resolve().parent.parent / "docs" / "reference" / "licences.md"

ALLOWED = (
    "0BSD", "3-Clause BSD License", "Apache License 2.0", "Apache Software License", "Apache-2.0",
    "Apache-2.0 OR BSD-2-Clause", "Apache-2.0 OR BSD-3-Clause", "BSD License", "BSD-2-Clause", "BSD-3-Clause",
    "BSD-2-Clause AND Apache-2.0 WITH LLVM-exception", "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "DFSG approved; MIT License",
    "EPL-2.0 OR BSD-3-Clause", "LGPL-3.0-only", "MIT", "MIT AND PSF-2.0", "MIT License", "MIT OR Apache-2.0",
    "MIT-0", "MIT-CMU", "MPL-2.0", "MPL-2.0 AND MIT", "Mozilla Public License 2.0 (MPL 2.0)", "PSF-2.0",
    "Public Domain", "Python Software Foundation License", "Zero-Clause BSD (0BSD)",
)  # fmt: skip

DECLARED_ELSEWHERE = {
    # No licence in the wheel's metadata; its repository and the axe-core file inside say this.
    "axe-playwright-python": "MIT",
}

HEAD = """# Third-party licences

Every distribution that `requirements.lock` can install, with the licence its metadata declares.
Nothing of it is copied into this repository. LGPL-3.0 libraries (psycopg) are used unmodified, as
separate packages. Renewed with `python -m tests.licences --write`; `make check` fails when it is stale.

| distribution | licence |
|---|---|
"""


def installed() -> dict[str, str]:
    """Return the declared licence of every installed distribution but our own."""
    command = [str(Path(sys.executable).parent / "pip-licenses"), "--format=json", "--python", sys.executable]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    licences = {row["Name"].lower().replace("_", "-"): row["License"] for row in rows}
    licences.pop("zhichao")
    return licences | {name: found for name, found in DECLARED_ELSEWHERE.items() if name in licences}


def listed() -> dict[str, str]:
    """Return what the committed list says."""
    if not LIST.exists():
        return {}
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", LIST.read_text(encoding="utf-8"), re.MULTILINE))


def main() -> int:
    """Check the list, or renew it."""
    now = installed()
    refused = {name: licence for name, licence in now.items() if licence not in ALLOWED}
    for name, licence in refused.items():
        print(f"{name}: licence {licence!r} is not on the allowed list; look at it before depending on it")
    if "--write" in sys.argv:
        rows = "".join(f"| {name} | {licence} |\n" for name, licence in sorted(now.items()))
        LIST.write_text(HEAD + rows, encoding="utf-8")
    stale = {name for name, licence in now.items() if listed().get(name) != licence}
    for name in sorted(stale):
        print(f"{name}: missing or different in {LIST.name}; run python -m tests.licences --write")
    return 1 if refused or stale else 0


if __name__ == "__main__":
    sys.exit(main())
