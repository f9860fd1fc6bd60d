"""Settings: read from the environment, handed on unchanged, never shown, all documented."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from domain import completeness
from domain.errors import ConfigurationError
from service.demo.session import own_settings
from service.reference import settings_page
from service.settings import (
    PREFIX,
    Settings,
    environment_of,
    keep_compiled_code,
    load_settings,
    unknown_variables,
)
from tests.components import ROOT


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return a monkeypatch on an environment without any setting of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    return monkeypatch


def _compiled_below(clean: pytest.MonkeyPatch, package: Path, writable: set[Path]) -> str | None:
    clean.setattr(os, "access", lambda path, mode: mode == os.W_OK and path in writable)
    keep_compiled_code(Settings(data=package / "data"), package)
    return os.environ.get("NUMBA_CACHE_DIR")


def test_compiled_code_lies_below_the_data_folder_where_the_sources_are_anothers(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clean.delenv("NUMBA_CACHE_DIR", raising=False)
    assert _compiled_below(clean, tmp_path, {tmp_path}) is None
    (tmp_path / "__pycache__").mkdir()
    assert _compiled_below(clean, tmp_path, {tmp_path / "__pycache__"}) is None
    clean.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    assert _compiled_below(clean, tmp_path, {tmp_path}) == "/elsewhere"
    clean.delenv("NUMBA_CACHE_DIR")
    assert _compiled_below(clean, tmp_path, {tmp_path}) == str(tmp_path / "data/compiled")


_CACHES = """
import os
os.access = lambda path, mode: False
from service.settings import load_settings
load_settings()
from weigh.estimate._kernels import force_moments
print(force_moments._cache.cache_path)
"""


def test_numba_keeps_there_what_it_compiles(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.delenv("NUMBA_CACHE_DIR", raising=False)
    clean.setenv("ZHICHAO_DATA", str(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-c", _CACHES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith(f"{tmp_path / 'compiled'}{os.sep}")


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


def test_a_deployments_own_profiles_are_known_wherever_settings_are_read(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(
        "[[profile]]\nname = 'ours'\ntitle_zh = '本省'\nroles = ['rear']\nmin_images = 1\n"
        "weigh_record = true\nin_force = ['certificate', 'announcement']\n"
        "source = 'a notice'\nconfidence = 'V'\n",
        encoding="utf-8",
    )
    clean.setenv("ZHICHAO_COMPLETENESS_FILE", str(path))
    clean.setattr(completeness, "_own", {})
    load_settings()
    assert completeness.profile("ours").min_images == 1
    path.write_text("[[profile]]\nname = 'ours'\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        load_settings()


def test_the_demo_touches_no_file_folder_address_or_token_that_is_configured(tmp_path: Path) -> None:
    elsewhere = tmp_path / "production"
    names = [name for name in Settings.model_fields if name.endswith(("_file", "_folder", "_url", "_module"))]
    configured = Settings.model_construct(**(Settings().model_dump() | dict.fromkeys(names, elsewhere)))
    assert {name: getattr(own_settings(configured, tmp_path), name) for name in names} == dict.fromkeys(names)
