"""docs/privacy.md names every file that the code writes, and what it says of their content is true of drawn runs."""

from __future__ import annotations

import fnmatch
import re
import shutil
from pathlib import Path

import pytest

import evaluation
import inference
import train
from model.evaluation.report.thumbnails import BLURRED_SIDE, LARGE_SIDE

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
PACKAGES = ("model", "container", "jobs", "exploration")
OF_TENSORBOARD = "events.out.tfevents.*"


def documented() -> list[str]:
    """Names of the files in the table, some with `*`."""
    rows = re.findall(r"^\| (`.*?) \|", TEXT.split("## Files")[1].split("\n## ")[0], re.M)
    return [name for row in rows for name in re.findall("`([^`]+)`", row)]


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory) -> Path:
    """The folder of a training with its report and TensorBoard files."""
    folder = tmp_path_factory.mktemp("trained")
    small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--epochs", "1"]
    small += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--tracking", "tensorboard"]
    assert train.main([*small, "--train_dir", str(faces / "train"), "--model_dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def written(trained, faces, tmp_path_factory) -> set[str]:
    """Names of all files that a training, an inference of its model and the evaluation of it have written."""
    output = tmp_path_factory.mktemp("written")
    answers = ["--eval_dir", str(faces / "eval"), "--model_dir", str(trained / "exp"), "--device", "cpu"]
    assert inference.main([*answers, "--output_data_dir", str(output), "--num_workers", "0"]) == 0
    where = ["--ground_truth_dir", str(faces / "gt"), "--output_data_dir", str(output), "--resamples", "0"]
    assert evaluation.main([*where, "--pictures", str(faces / "eval")]) == 0
    return {path.name for folder in (trained, output) for path in folder.rglob("*") if path.is_file()}


def test_every_file_of_a_run_is_in_the_table(written):
    assert len(written) > 20
    assert [name for name in written if not any(fnmatch.fnmatch(name, known) for known in documented())] == []


def test_every_file_in_the_table_is_one_that_the_code_writes():
    """In quotes; a name with `*` by what is before and after it. Event files are named by TensorBoard."""
    files = [ROOT / "train.py", *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    names = [name for name in documented() if name != OF_TENSORBOARD]
    assert len(names) == len(set(names)) > 30
    unknown = []
    for name in names:
        first, *rest = name.split("*")
        texts = [f'"{first}', f'{rest[0]}"'] if rest else [f'"{name}"']
        unknown += [name for text in texts if text not in source]
    assert unknown == []


def test_names_of_the_channel_are_only_in_files_that_the_table_says_so_of(trained):
    """By the bytes of the files: the paths of the drawn images are `000001_female_drawn_69/mask1.jpg`."""
    says_paths = {
        name
        for row in TEXT.split("## Files")[1].splitlines()
        if row.startswith("| `") and re.search(r"\bpaths?\b", row.split("|")[3]) and "no paths" not in row
        for name in re.findall("`([^`]+)`", row.split("|")[1])
    }
    with_paths = {path.name for path in trained.rglob("*") if path.is_file() and b"_drawn_" in path.read_bytes()}
    assert len(with_paths) > 4
    assert [name for name in with_paths if not any(fnmatch.fnmatch(name, known) for known in says_paths)] == []


def test_the_sizes_of_thumbnails_are_those_of_the_code():
    assert f"at most {BLURRED_SIDE} x {BLURRED_SIDE} pixels" in TEXT and f"at most {LARGE_SIDE} pixels" in TEXT


def test_a_model_says_which_images_of_a_person_it_has_learnt_from(models, faces, tmp_path):
    person = next(folder for folder in (faces / "train" / "images").iterdir() if folder.is_dir())
    shutil.copytree(person, tmp_path / "person")
    flags = ["--eval_dir", str(tmp_path / "person"), "--model_dir", str(models / "joint"), "--device", "cpu"]
    assert inference.main([*flags, "--output_data_dir", str(tmp_path / "out"), "--num_workers", "0"]) == 0
    rows = (tmp_path / "out" / "learnt_from.csv").read_text().splitlines()[1:]
    assert len(rows) == len(list(person.iterdir()))
