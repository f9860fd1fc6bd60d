"""Settings: read from the environment, handed on unchanged, never shown, all documented."""

from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from service.reference import settings_page
from service.settings import PREFIX, Settings, environment_of, load_settings, unknown_variables
from tests.components import ROOT


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return a monkeypatch on an environment without any setting of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    return monkeypatch


def test_every_setting_is_described() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]
    assert undescribed == []


def test_the_reference_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "run: python -m service.reference settings > docs/reference/settings.md"


def test_a_child_reads_exactly_the_settings_it_is_handed(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ZHICHAO_DATABASE_URL", "postgresql://u:secret@db/zhichao")
    clean.setenv("ZHICHAO_LAW_CONFIRMED_ROWS", '["row-b", "row-a"]')
    clean.setenv("ZHICHAO_RULE_FORMULA", "bound")
    clean.setenv("ZHICHAO_WEB_PORT", "9090")
    before = load_settings()
    for name, value in environment_of(before).items():
        clean.setenv(name, value)
    assert load_settings() == before
    assert before.law_confirmed_rows == {"row-a", "row-b"}


def test_a_child_without_the_database_is_not_told_its_password(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ZHICHAO_DATABASE_URL", "postgresql://u:hunter2@db/zhichao")
    clean.setenv("ZHICHAO_WEB_PORT", "9090")
    environment = environment_of(load_settings(), with_database=False)
    assert not [name for name, value in environment.items() if "hunter2" in value]
    assert environment["ZHICHAO_WEB_PORT"] == "9090"


def test_printed_settings_do_not_show_the_database_password(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ZHICHAO_DATABASE_URL", "postgresql://u:hunter2@db/zhichao")
    settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert settings.require_database_url().endswith(":hunter2@db/zhichao")


def test_every_impossible_value_is_named(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ZHICHAO_WEB_PORT", "70000")
    clean.setenv("ZHICHAO_BROKER_KIND", "carrier-pigeon")
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert "ZHICHAO_WEB_PORT" in str(raised.value)
    assert "ZHICHAO_BROKER_KIND" in str(raised.value)


def test_misspelt_variables_are_found(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ZHICHAO_DATABSE_URL", "postgresql://db")
    clean.setenv("ZHICHAO_WEB_PORT", "8080")
    assert unknown_variables() == ["ZHICHAO_DATABSE_URL"]


def test_folders_lie_below_the_data_folder_unless_set(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("ZHICHAO_DATA", "somewhere")
    clean.setenv("ZHICHAO_KEYS_FOLDER", "vault")
    settings = load_settings()
    assert settings.evidence_root == Path("somewhere/evidence")
    assert settings.keys_root == Path("vault")


def test_without_a_database_the_message_says_what_to_do(clean: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="ZHICHAO_DATABASE_URL"):
        load_settings().require_database_url()
