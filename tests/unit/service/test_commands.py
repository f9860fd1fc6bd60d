"""The command line: documented word for word, and honest in its exit status."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from evidence import create_keys, trust_bytes, trust_file
from service.cli import main
from service.reference import columns_page, commands_page
from tests.components import ROOT


def test_the_reference_page_is_what_the_commands_print() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert page == commands_page(), "run: python -m service.reference commands > docs/reference/commands.md"


def test_the_columns_page_is_what_the_schemas_say() -> None:
    page = (ROOT / "docs" / "reference" / "columns.md").read_text(encoding="utf-8")
    assert page == columns_page(), "run: python -m service.reference columns > docs/reference/columns.md"


def test_every_command_says_what_it_does() -> None:
    def walk(command: click.Command) -> list[str]:
        below = command.commands.values() if isinstance(command, click.Group) else ()
        return [name for one in below for name in walk(one)] + ([] if command.help else [str(command.name)])

    assert walk(main) == []


def test_a_folder_that_is_no_package_does_not_verify(tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    trust.write_bytes(trust_bytes(trust_file(create_keys(tmp_path / "keys"))))
    package = tmp_path / "EV-0123456789abcdef0123456789abcdef"
    package.mkdir()
    result = CliRunner().invoke(main, ["evidence", "verify", str(package), "--trust", str(trust)])
    assert result.exit_code == 1
    assert "NOT VERIFIED" in result.output


def test_an_impossible_setting_ends_with_a_sentence_and_status_78(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHICHAO_WEB_PORT", "http")
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 78
    assert "ZHICHAO_WEB_PORT" in result.stderr
    assert "Traceback" not in result.output


def test_a_short_password_is_refused() -> None:
    arguments = ["account", "create", "li", "--role", "supervisor"]
    result = CliRunner().invoke(main, arguments, input="short\n")
    assert result.exit_code == 78
    assert "12 characters" in result.stderr
