"""Reference pages of settings, commands and columns, made from code: `python -m service.reference PAGE`.

The pages are committed, and a test compares them with what this prints.
"""

import sys
from enum import Enum
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from service.settings import PREFIX, Settings

_SETTINGS_INTRO = """# Settings

Every setting is an environment variable; with none set, everything runs on embedded defaults below the
data folder. `zhichao doctor` says what is wrong with a configuration, and names variables it does not
know. Secrets are files, or are never printed. This page is made by `python -m service.reference settings`.

| variable | default | meaning |
|---|---|---|
"""

_COMMANDS_INTRO = """# Commands

What each command prints with `--help`. Every command reads its settings from the environment
([settings.md](settings.md)). Exit status 0 means done, 1 that something is wrong, 78 that the
configuration cannot work. `make run ARGS="..."` is `python -m service.demo ...`. This page is made by
`python -m service.reference commands`.
"""

_COLUMNS_INTRO = """# Columns

The Parquet files that `zhichao import`, `export` and `screen` write and read; how they are used is told in
[import and re-screen](../how-to/import-and-rescreen.md). Whole numbers carry their unit in the name: kg, mm,
m/h, millikelvin, and ppm for ratios. Times are UTC; a day is the day at the place. A file says its schema in
its metadata under `zhichao.schema`. A file of another program may be read too: it needs exactly these
columns, in any order, and no others. A column that changes makes a new version of its schema. The findings'
rule (`zhichao.formula`, `zhichao.guard_k_milli` and so on) and `zhichao.algorithm` stand in its metadata.
This page is made by `python -m service.reference columns`.
"""


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(field)} | {_escaped(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return _SETTINGS_INTRO + "\n".join(rows) + "\n"


def columns_page() -> str:
    """Return docs/reference/columns.md: the schemas of our Parquet files."""
    # Here, because Arrow takes a second to load.
    from store.columnar_schemas import SCHEMAS, described, name_of  # noqa: PLC0415

    sections = []
    for schema in SCHEMAS:
        rows = [
            f"| `{one.name}` | {one.type} | {'or null' if one.nullable else ''} | {_escaped(one.meaning)} |"
            for one in described(schema)
        ]
        table = "\n".join(("| column | type | | meaning |", "|---|---|---|---|", *rows))
        sections.append(f"\n## `{name_of(schema)}`\n\n{table}\n")
    return _COLUMNS_INTRO + "".join(sections)


def commands_page() -> str:
    """Return docs/reference/commands.md: `zhichao` with all below it, and the demo."""
    # Here, because the settings' page need not load every command.
    from service.cli import main as zhichao  # noqa: PLC0415
    from service.demo.__main__ import main as demo  # noqa: PLC0415

    pages = [*_help_of(zhichao, ("zhichao",)), *_help_of(demo, ("python -m service.demo",))]
    return _COMMANDS_INTRO + "".join(pages)


def _help_of(command: click.Command, words: tuple[str, ...]) -> list[str]:
    context = click.Context(command, info_name=" ".join(words), max_content_width=100, terminal_width=100)
    pages = [f"\n## `{' '.join(words)}`\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            pages += _help_of(command.commands[name], (*words, name))
    return pages


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is None or isinstance(value, SecretStr):
        return "absent"
    if isinstance(value, frozenset):
        return "`[]`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Print the page named on the command line."""
    pages = {"settings": settings_page, "commands": commands_page, "columns": columns_page}
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted not in pages:
        sys.exit(f"usage: python -m service.reference {{{'|'.join(pages)}}}")
    sys.stdout.write(pages[wanted]())


if __name__ == "__main__":
    main()
