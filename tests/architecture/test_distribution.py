"""What is shipped, and what no committed file may carry."""

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.architecture.test_confinement import SHIPPED
from tests.components import ROOT

TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".lock",
    ".yaml",
    ".yml",
    ".sql",
    ".html",
    ".css",
    ".js",
    ".po",
    ".sh",
    "",
}
HOST = re.compile(
    r"https?://[^\s\"')>]+\.(?:whl|tar\.gz|tgz|deb)\b"
    r"|--(?:extra-)?index-url"
    r"|files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|deb\.debian\.org"
    r"|(?<![\w.])/(?:work|root|farm)/[\w.]+"
)


def tracked() -> list[Path]:
    """Every file of the repository, as git lists them."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_wheel_carries_the_product_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if not name.startswith("zhichao-")}
    assert tops == set(SHIPPED)
    assert any(name.startswith("domain/law/") and name.endswith(".toml") for name in names)
    assert any(name.startswith("store/migrations/") for name in names)


def test_no_other_distribution_provides_one_of_our_names() -> None:
    providers = importlib.metadata.packages_distributions()
    for name in (*SHIPPED, "simulators", "benchmarks", "tests"):
        assert set(providers.get(name, [])) <= {"zhichao"}, name


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = {}
    this = Path(__file__).resolve()
    for path in tracked():
        if path.suffix in TEXT and path != this:
            match = HOST.search(path.read_text(encoding="utf-8"))
            if match:
                found[str(path.relative_to(ROOT))] = match[0]
    assert found == {}


def test_every_text_file_is_utf8_with_unix_line_ends() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in TEXT and b"\r\n" in path.read_bytes()
    ]
    assert offenders == []
