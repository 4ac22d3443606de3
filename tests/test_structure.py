"""The structure that DESIGN and docs/architecture.md promise: what is in the roots of packages, and which test tests
which module. Directions of import are import-linter's (pyproject.toml)."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("model", "jobs", "container", "exploration", "benchmarks")
ROOTS = {
    "model": {
        "__init__",
        "__main__",
        "atomic_write",
        "attributes",
        "combinations",
        "decisions",
        "errors",
        "label_values",
        "labels",
        "paths",
        "streams",
        "subcommands",
    },
    "jobs": {"__init__", "__main__", "subcommands"},
}
# In a package's docstring, below a line "Tested by files of other names:".
ELSEWHERE = re.compile(r"^ +([\w, ]+): (tests/[\w/]+\.py)$", re.M)


def modules() -> list[Path]:
    files = [path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted(path for path in files if path.name not in ("__init__.py", "__main__.py"))


def own_test(module: Path) -> Path:
    return Path("tests") / module.parent / f"test_{module.name}"


def named_elsewhere() -> dict[Path, Path]:
    """Modules, and packages' __main__, by the tests that the docstrings of their packages name."""
    named = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("__init__.py"):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False) or ""
            for names, test in ELSEWHERE.findall(docstring):
                folder = path.parent.relative_to(ROOT)
                named |= {folder / f"{name.strip()}.py": Path(test) for name in names.split(",")}
    return named


@pytest.mark.parametrize("package", ROOTS)
def test_the_root_of_a_package_holds_only_what_the_design_names(package):
    assert {path.stem for path in (ROOT / package).glob("*.py")} <= ROOTS[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_say_what_they_are_for_and_import_nothing(package):
    for path in (ROOT / package).rglob("__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert not imports or path.parent.name == "prediction", f"{path.relative_to(ROOT)} imports"


def test_each_module_has_a_test_file_or_its_package_names_one():
    elsewhere = named_elsewhere()
    assert not [str(m) for m in modules() if not (ROOT / own_test(m)).is_file() and m not in elsewhere]


def test_packages_name_modules_and_tests_that_exist():
    for module, test in named_elsewhere().items():
        assert (ROOT / module).is_file() and (ROOT / test).is_file(), f"{module}: {test}"
        assert not (ROOT / own_test(module)).is_file(), f"{module} has a test file of its own"


def test_each_test_file_of_a_package_tests_one_of_its_modules():
    named = {*map(own_test, modules()), *named_elsewhere().values()}
    there = [path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")]
    assert not [str(path) for path in sorted(there) if path not in named]


def test_each_module_in_the_root_is_installed_and_in_the_image():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert modules == set(settings["py-modules"]) >= {"rarebird", "train"}
    assert {f"!{name}.py" for name in modules} <= set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    templates = {path.parent.parent for name in PACKAGES for path in (ROOT / name).rglob("*.j2")}
    packages = {".".join(path.relative_to(ROOT).parts) for path in templates}
    assert packages == {name for name, files in settings["package-data"].items() if files == ["templates/*"]}
