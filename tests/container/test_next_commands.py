"""The next command at the end of a job."""

from __future__ import annotations

import shlex
from pathlib import Path

from container.next_commands import evaluation_command, inference_command
from container.project_root import PROJECT_ROOT


def test_inference_predicts_the_images_that_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT_ROOT)
    train, model = tmp_path / "my data" / "train", Path("runs/exp 1")
    train.mkdir(parents=True)
    assert inference_command(model, train, None) == "python inference.py --eval_dir FOLDER --model_dir 'runs/exp 1'"
    (train.parent / "eval").mkdir()
    images = shlex.quote(str(train.parent / "eval"))
    assert inference_command(model, train, None) == f"python inference.py --eval_dir {images} --model_dir 'runs/exp 1'"
    assert inference_command(Path("a"), train, "photos") == "python inference.py --eval_dir photos --model_dir a"


def test_inference_predicts_the_test_folder_of_a_folder_of_splits(tmp_path):
    for name in ("train", "val", "test"):
        (tmp_path / name).mkdir()
    assert f" --eval_dir {tmp_path / 'test'} " in inference_command(Path("a"), tmp_path, None)


def test_evaluation_scores_the_predictions_by_known_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT_ROOT)
    images, predictions = tmp_path / "eval", Path("output/output.csv")
    images.mkdir()
    command = "python evaluation.py --ground_truth_dir FOLDER --output_data_dir output"
    assert evaluation_command(predictions, "output.csv", images) == command
    (tmp_path / "gt").mkdir()
    command = command.replace("FOLDER", str(tmp_path / "gt"))
    assert evaluation_command(predictions, "output.csv", images) == command
    assert evaluation_command(Path("output/a b.csv"), "output.csv", images) == f"{command} --answers 'a b.csv'"


def test_evaluation_reads_labels_from_the_predicted_folder_if_it_has_them(tmp_path):
    images = tmp_path / "test"
    (tmp_path / "gt").mkdir()
    command = evaluation_command(Path("output/b.csv"), "output.csv", images, images)
    flags = f"--ground_truth_dir {images} --output_data_dir output --pictures {images} --answers b.csv"
    assert command.endswith(f"evaluation.py {flags}")


def test_elsewhere_the_script_is_named_by_its_path():
    assert inference_command(Path("a"), Path("b"), "c").startswith(f"python {PROJECT_ROOT / 'inference.py'} --eval_dir")
