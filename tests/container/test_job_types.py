"""Job types agree with the scripts, the fields of their settings classes and the launcher's flags."""

import ast
import dataclasses
import typing

import pytest

from container import job_types
from container.job_types import FILE, FOLDER, INFERENCE, INFERENCE_TTA, JOB_TYPES, SERVE, TRAIN, JobType, find_job_type
from container.project_root import PROJECT_ROOT
from jobs.spec.flags import FLAGS
from model.settings.fields import as_dict

LAUNCHED = [job_type for job_type in JOB_TYPES.values() if job_type is not SERVE]


def parametrized(types: list[JobType]):
    return pytest.mark.parametrize("job_type", types, ids=[job_type.name for job_type in types])


def test_the_scripts_are_those_in_the_projects_root():
    scripts = {job_type.script for job_type in LAUNCHED}
    assert scripts | {"rarebird.py"} == {path.name for path in PROJECT_ROOT.glob("*.py")}  # the Python API
    assert len(scripts) == len(LAUNCHED) and SERVE.script is None
    assert (PROJECT_ROOT / "container" / "serve" / "__main__.py").is_file()


@parametrized(LAUNCHED)
def test_a_script_imports_its_own_job_type(job_type: JobType):
    """It imports only the constant of its own type from container.job_types."""
    tree = ast.parse((PROJECT_ROOT / job_type.script).read_text(encoding="utf-8"))
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == job_types.__name__
    ]
    names = {alias.name for node in imports for alias in node.names} - {"JobType"}
    assert [getattr(job_types, name) for name in names] == [job_type]


@parametrized(list(JOB_TYPES.values()))
def test_a_job_type_is_found_by_name_and_script(job_type: JobType):
    assert find_job_type(job_type.name) is JOB_TYPES[job_type.name] is job_type
    assert find_job_type(f"{job_type.name}.py") is (None if job_type is SERVE else job_type)
    assert find_job_type(job_type.name[:-1]) is None


@parametrized(list(JOB_TYPES.values()))
def test_all_settings_of_a_job_type_are_fields_of_its_settings_class(job_type: JobType):
    fields = {field.name for field in dataclasses.fields(job_type.settings)}
    named = [*job_type.defaults, *job_type.folders, *job_type.files, *job_type.local, *job_type.required]
    assert set(named) <= fields
    assert set(job_type.required) <= set(job_type.folders)
    assert as_dict(job_type.default_settings) == as_dict(job_type.settings()) | dict(job_type.defaults)


@parametrized(LAUNCHED)
def test_every_text_setting_is_in_exactly_one_group(job_type: JobType):
    """A text setting may be a path, so a new one must define how a launched job gets it."""
    hints = typing.get_type_hints(job_type.settings)
    choices = {field.name for field in dataclasses.fields(job_type.settings) if field.metadata["choices"]}
    texts = [name for name, hint in hints.items() if hint in (str, str | None, list[str]) and name not in choices]
    classes = [job_type.folders, job_type.files, job_type.outputs, job_type.local, job_type.refused, job_type.values]
    named = [name for names in classes for name in names]
    assert sorted(named) == sorted(texts)
    assert set(job_type.tables) <= set(job_type.folders) and set(job_type.beside) <= set(job_type.files)
    assert set(job_type.outputs.values()) <= {FILE, FOLDER}
    assert {name for name in texts if name.endswith("_dir")} <= {*job_type.folders, *job_type.local}
    assert set(job_type.jobs) | set(job_type.instead.values()) <= set(job_type.files)
    assert set(job_type.beside.values()) <= set(job_type.folders.values())


@parametrized(LAUNCHED)
def test_the_launcher_has_the_flags_for_all_inputs(job_type: JobType):
    flags = {field.name for field in dataclasses.fields(FLAGS[job_type.name])}
    assert bool(job_type.data) is ("data" in flags)
    assert job_type.data in {"", *job_type.required_inputs}
    for name, flag in job_type.required_inputs.items():
        setting = next(setting for setting, channel in job_type.folders.items() if channel == name)
        assert flag == ("--data" if name == job_type.data else f"--{setting}")


def test_outputs_for_later_jobs_are_their_inputs():
    inputs = {name for job_type in LAUNCHED for name in job_type.folders.values()}
    feeding = {name: folder for job_type in LAUNCHED for name, folder in job_type.feeds.items()}
    assert feeding == {"model": "model", "predictions": "output", "parts": "parts"} and set(feeding) <= inputs
    assert INFERENCE.feeds["predictions"] == INFERENCE.output == INFERENCE_TTA.output and TRAIN.output == "output"


def test_inference_TTA_has_the_aliases_of_inference_and_its_own_default():
    assert (INFERENCE_TTA.alias_script, TRAIN.alias_script, SERVE.alias_script) == ("inference.py", "train.py", "serve")
    assert (INFERENCE.default_settings.num_tta, INFERENCE_TTA.default_settings.num_tta) == (1, 4)
