"""What the documents say is what the code does."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import logging
import re
import runpy
import sys
from pathlib import Path

import pytest

from container import settings_layers
from container.job_types import TRAIN
from exploration.__main__ import SUBCOMMANDS
from jobs.spec.flags import FLAGS
from model.__main__ import SUBCOMMANDS as OF_MODEL
from model.images.tta import FIXED
from model.settings.aliases import ALIASES
from model.settings.cli import help_text, settings_table
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import as_dict, canonical
from model.settings.inference import InferenceSettings
from model.settings.readme_table import tables
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ["train.py", "inference.py", "inference_TTA.py", "evaluation.py"]
OF_DOCKER = [
    "build-arg",
    "cap-drop",
    "detach",
    "entrypoint",
    "gpus",
    "memory",
    "name",
    "network",
    "publish",
    "read-only",
    "rm",
    "shm-size",
    "time",
    "tmpfs",
    "user",
]
ROOMS = {"model", "container", "jobs", "exploration", "benchmarks"}


def test_the_tables_of_settings_are_those_of_the_code():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- settings -->\n(.*)<!-- /settings -->", text, re.DOTALL)
    assert shown and shown[1].strip() == tables().strip(), "put the output of python -m model settings there"


def test_the_table_of_serves_settings_is_that_of_the_code():
    text = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- settings of serve -->\n(.*)<!-- /settings of serve -->", text, re.DOTALL)
    assert shown and shown[1].strip() == settings_table(ServeSettings).strip(), "put settings_table's output there"


def test_every_flag_in_the_documents_exists():
    classes: tuple[type, ...] = (TrainSettings, InferenceSettings, EvaluationSettings, ServeSettings)
    benchmarks = [f"benchmarks.{path.stem}" for path in sorted((ROOT / "benchmarks").glob("*.py"))]
    for name in (*(module for module, _ in (*SUBCOMMANDS.values(), *OF_MODEL.values())), *benchmarks):
        members = vars(importlib.import_module(name)).items()
        classes += tuple(own for member, own in members if member.endswith("Settings") and own.__module__ == name)
    known = {name for cls in classes for name in as_dict(cls())} | {alias.name for alias in ALIASES}
    known |= {name for cls in FLAGS.values() for name in as_dict(cls())}
    known |= {"help", "help_all", "version", "nproc_per_node", "logdir", "cli_input_json"}
    known |= {canonical(word) for word in (*OF_DOCKER, "data-binary")}
    for path in [
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("configs/*.yaml"),
        *(ROOT / name for name in SCRIPTS),
    ]:
        for flag in re.findall(r"(?<![\w-])--([a-zA-Z][\w-]+)", path.read_text(encoding="utf-8")):
            assert canonical(flag) in known, f"{path.name}: --{flag}"


@pytest.mark.parametrize("cls", [TrainSettings, InferenceSettings, EvaluationSettings, ServeSettings])
def test_help_shows_every_setting(cls):
    text = help_text(cls, "usage")
    positional = {field.name for field in dataclasses.fields(cls) if field.metadata["positional"]}
    assert all(name in positional or f"--{name} " in text for name in as_dict(cls()))


@pytest.mark.parametrize("flag", ["--help", "--help-all"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_help_of_each_job_is_its_manual(script, flag, monkeypatch, capsys):
    """The script is run as `python SCRIPT --help` runs it, in this process, where torch is imported."""
    monkeypatch.setattr(sys, "argv", [script, flag])
    monkeypatch.setenv("COLUMNS", "80")
    log = logging.getLogger("rarebird")
    monkeypatch.setattr(log, "handlers", [])  # check_command_line replaces them
    monkeypatch.setattr(log, "propagate", True)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    out = capsys.readouterr().out
    usage, _, summary, _, heading, *lines = out.splitlines()
    assert not ended.value.code and usage.startswith(f"usage: python {script} [") and summary[-1] == "."
    assert heading == "Examples:" and all(f"python {script} " in f"{line} " for line in lines[:3]) and not lines[3]
    assert "--device TEXT" in out or script == "evaluation.py"
    assert "SM_HP_NAME" in out and "Exit codes: 0 done" in out
    is_short = flag == "--help"
    assert (f"settings: python {script} --help-all" in out) is is_short
    assert ("Writes" in out) is ("\nInputs and outputs:\n" in out) is not is_short or script == "inference_TTA.py"
    assert not is_short or (len(out.splitlines()) <= 60 and max(map(len, out.splitlines())) <= 80)


@pytest.mark.parametrize("script", ["inference.py", "inference_TTA.py"])
def test_help_describes_the_fixed_views(script):
    text = " ".join(ast.get_docstring(ast.parse((ROOT / script).read_text(encoding="utf-8"))).split())
    sizes = list(dict.fromkeys(f"{round(100 * view.zoom)} %" for view in FIXED if view.zoom < 1))
    assert f"the first N of {len(FIXED)} views" in text
    assert f"crops of {', '.join(sizes[:-1])} and {sizes[-1]} of its height and width" in text
    assert [view.flip for view in FIXED] == [False, True] * (len(FIXED) // 2)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_jobs_import_model_and_container_alone(script):
    found = set()
    for node in ast.walk(ast.parse((ROOT / script).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    assert found & ROOMS <= {"model", "container"}


def test_model_itself_imports_nothing():
    tree = ast.parse((ROOT / "model" / "__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


def test_every_experiment_is_read(monkeypatch):

    for path in sorted((ROOT / "configs").glob("*.yaml")):
        settings_layers.read(TRAIN, ["--config", str(path)], "")


def test_requirements_are_pinned_within_the_ranges_of_pyproject():
    import tomllib

    from packaging.requirements import Requirement

    ranges = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = {requirement.name: requirement.specifier for requirement in map(Requirement, ranges)}
    pinned = {}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pinned[name] = version
    assert pinned.keys() == wanted.keys()
    assert all(wanted[name].contains(version) for name, version in pinned.items())


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_modules_that_a_document_names_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"[a-z_]+(?:/[a-z_]+)+\.py", text))
    assert len(named) > 8
    assert not [path for path in sorted(named) if not ((ROOT / path).is_file() or (ROOT / "model" / path).is_file())]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document: lower case, without punctuation, hyphens for spaces."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))], ids=lambda path: path.name)
def test_every_link_of_a_document_exists(path):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link
