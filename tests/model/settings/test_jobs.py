"""Properties of the settings of every job."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from model.settings.evaluation import EvaluationSettings
from model.settings.fields import Layer, as_dict, build
from model.settings.inference import InferenceSettings
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings

JOBS = (TrainSettings, InferenceSettings, EvaluationSettings, ServeSettings)
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("settings", JOBS)
def test_defaults_are_valid(settings: type) -> None:
    assert build(settings, []) == settings()
    assert build(settings, [Layer("{}", as_dict(settings()))]) == settings()


@pytest.mark.parametrize("settings", JOBS)
def test_every_setting_survives_conversion_to_text(settings: type) -> None:
    """str() of the value, as in hyperparameters."""
    defaults = settings()
    assert build(settings, [Layer("{}", {name: str(value) for name, value in as_dict(defaults).items()})]) == defaults


@pytest.mark.parametrize("settings", JOBS)
def test_every_setting_has_a_meaning_and_a_valid_default(settings: type) -> None:
    for field in dataclasses.fields(settings):
        assert len(field.metadata["help"]) > 4
        if field.metadata["choices"] and isinstance(getattr(settings(), field.name), str):
            assert getattr(settings(), field.name) in field.metadata["choices"]


def test_settings_and_labels_import_no_torch() -> None:
    """So that `python -m jobs --help` takes less than half a second."""
    modules = [f"model.settings.{path.stem}" for path in sorted((ROOT / "model" / "settings").glob("[!_]*.py"))]
    heavy = "{'torch', 'numpy', 'pandas'}"
    script = f"import sys, {', '.join(modules)}, model.labels; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(modules) > 8 and done.stdout.strip() == "[]"
