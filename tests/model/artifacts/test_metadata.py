"""settings.yaml and metrics.json of a saved model, read without heavy imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from model.artifacts.metadata import load_json_object, read_json_object, read_settings_and_metrics
from model.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


def test_runs_are_listed_without_torch():
    modules = "exploration.run_records, exploration.runs_table"
    script = f"import sys, {modules}; print(sorted({{'torch', 'timm', 'torchvision'}} & set(sys.modules)))"
    completed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert completed.stdout == "[]\n"


def test_settings_and_metrics_are_read(tmp_path, write_model):
    settings, metrics = read_settings_and_metrics(write_model(tmp_path, finished=False))
    assert (settings.model, settings.epochs) == ("resnet10t", 3) and metrics == {"finished": False}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("settings.yaml", "model: [", r"^settings\.yaml: cannot be read: "),
        ("settings.yaml", "- a", r"^settings\.yaml: expected a mapping of settings, not list$"),
        ("settings.yaml", "modle: x", "nearest: model"),
        ("metrics.json", "{", r"^metrics\.json: cannot be read: "),
        ("metrics.json", "[]", r"^metrics\.json: expected a JSON object, not list$"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path, write_model, name, text, message):
    (write_model(tmp_path) / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_settings_and_metrics(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^metrics\.json: cannot be read: .*No such file"):
        read_json_object(tmp_path / "metrics.json")
    with pytest.raises(OSError):
        load_json_object(tmp_path / "metrics.json")
