"""Whether a saved model or an ensemble is complete, without torch."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model.artifacts.verify import model_problem, verify
from model.errors import Failure

ROOT = Path(__file__).resolve().parents[3]


def test_a_complete_model_is_described(tmp_path, write_model):
    assert str(verify(write_model(tmp_path))) == "resnet10t, 2 classes"
    assert str(verify(write_model(tmp_path, finished=False))).endswith("training was stopped early")


def test_an_ensemble_is_described(tmp_path, write_model):
    for name in ("a", "b"):
        write_model(tmp_path / name)
    (tmp_path / "ensemble.json").write_text(json.dumps({"members": [{"model": "a"}, {"model": "b"}]}))
    assert str(verify(tmp_path)) == "2 models, resnet10t, 2 classes"


def test_an_ensemble_of_a_run_that_was_stopped_between_its_models_is_not_finished(tmp_path, write_model):
    write_model(tmp_path / "fold1")
    content = {"combine": "soft", "finished": False, "members": [{"model": "fold1", "weight": 1}]}
    (tmp_path / "ensemble.json").write_text(json.dumps(content))
    assert not verify(tmp_path).finished
    (tmp_path / "ensemble.json").write_text(json.dumps({**content, "finished": True}))
    assert verify(tmp_path).finished
    write_model(tmp_path / "fold1", finished=False)
    assert not verify(tmp_path).finished


def test_all_members_in_ensemble_json_must_be_complete_at_any_depth(tmp_path, write_model):
    write_model(tmp_path / "earlier")  # in the folder, but not a member
    for name in ("sex", "age"):
        write_model(tmp_path / "fold1" / name)
    inner = {"combine": "product", "members": [{"model": "sex"}, {"model": "age"}]}
    (tmp_path / "fold1" / "ensemble.json").write_text(json.dumps(inner))
    (tmp_path / "ensemble.json").write_text('{"combine": "soft", "members": [{"model": "fold1"}]}')
    assert verify(tmp_path).models == 2
    (tmp_path / "fold1" / "age" / "labels.json").unlink()
    assert model_problem(tmp_path) == f"model {tmp_path}/fold1/age: missing files: labels.json"


@pytest.mark.parametrize("folder", ["", "a"])
def test_a_decision_must_fit_the_classes_of_its_model_or_ensemble(tmp_path, write_model, folder):
    labels = (write_model(tmp_path / "a") / "labels.json").read_text()
    (tmp_path / "ensemble.json").write_text('{"combine": "soft", "members": [{"model": "a"}]}')
    (tmp_path / "labels.json").write_text(labels)
    decision = tmp_path / folder / "decision.json"
    decision.write_text('{"rule": "argmax", "biases": [0, 1]}')
    assert model_problem(tmp_path) is None
    decision.write_text('{"rule": "argmax", "biases": [0, 1, 2]}')
    expected = f"{decision.parent}: decision.json: biases: expected 2, one per class, not 3"
    assert model_problem(tmp_path) == expected
    decision.write_text("[")
    assert f"{decision.parent}: decision.json: cannot be read" in model_problem(tmp_path)


@pytest.mark.parametrize("members", ["../a", "."])
def test_a_member_outside_its_ensemble_is_a_problem(tmp_path, write_model, members):
    write_model(tmp_path / "a")
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "ensemble.json").write_text(json.dumps({"combine": "soft", "members": [{"model": members}]}))
    assert "is not in a subfolder" in model_problem(tmp_path / "both")


def test_an_error_about_a_folder_without_a_model_lists_its_files(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert model_problem(tmp_path) == f"{tmp_path} contains no saved model; it contains notes.txt"
    assert model_problem(tmp_path / "gone") == f"{tmp_path}/gone contains no saved model; it contains nothing"


def test_nothing_heavy_is_imported():
    script = "import sys, model.artifacts.verify; print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_model_of_another_backend_is_complete_without_weights(tmp_path, write_model, monkeypatch):
    monkeypatch.setattr("model.artifacts.files.NETWORK_FILES", ["model.safetensors", "toy.npz"])
    (write_model(tmp_path) / "model.safetensors").rename(tmp_path / "toy.npz")
    assert model_problem(tmp_path) is None
    (tmp_path / "toy.npz").unlink()
    assert "contains no saved model" in model_problem(tmp_path)


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "metrics.json").unlink(), "metrics.json"),
        (cut_weights, "bytes, but its header describes"),
        (lambda folder: (folder / "settings.yaml").write_text("modle: x\n"), "nearest: model"),
        (lambda folder: (folder / "labels.json").write_text("{}"), "invalid label scheme"),
        (lambda folder: (folder / "settings.yaml").write_text("- a\n"), "settings.yaml|no attribute"),
    ],
)
def test_an_incomplete_model_is_reported(harm: Callable[[Path], None], message, tmp_path, write_model):
    harm(write_model(tmp_path / "model"))
    with pytest.raises(Failure, match=message):
        verify(tmp_path / "model")
