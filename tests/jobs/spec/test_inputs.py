"""Inputs of a job: files and folders, local and in S3."""

from __future__ import annotations

import json

import pytest

from jobs.spec.inputs import Input, check_inputs
from model.errors import InputError


def test_a_folder_in_s3_ends_with_a_slash(dry_run):
    """The prefix s3://b/train also matches s3://b/train2/."""
    flags = ("--data", "s3://b/train", "--validation_dir", "s3://b/val/", "--weights", "s3://b/w.safetensors")
    channels = json.loads(dry_run("train", *flags)[1])["InputDataConfig"]
    sources = {channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in channels}
    assert sources == {"train": "s3://b/train/", "validation": "s3://b/val/", "weights": "s3://b/w.safetensors"}
    inputs = json.loads(dry_run("evaluation", "--ground_truth_dir", "s3://b/gt", "--output_data_dir", "s3://b/a")[1])[
        "ProcessingInputs"
    ]
    assert {entry["S3Input"]["S3Uri"] for entry in inputs} == {"s3://b/gt/", "s3://b/a/"}
    pictures = json.loads(dry_run("transform", "--data", "s3://b/e", "--model_dir", "s3://b/m/model.tar.gz")[1])
    assert '"s3://b/e/"' in json.dumps(pictures["create-transform-job"])


@pytest.mark.parametrize(
    ("source", "is_file", "prefix"),
    [
        ("s3://b/train", False, "s3://b/train/"),
        ("s3://b/train/", False, "s3://b/train/"),
        ("s3://b/w.pth", True, "s3://b/w.pth"),
        ("s3://b/v1.5/", False, "s3://b/v1.5/"),
        ("s3://b/imagenet-1.0", False, "s3://b/imagenet-1.0/"),
        ("s3://b.c", False, "s3://b.c/"),
    ],
)
def test_files_and_folders_in_s3(source, is_file, prefix):
    each = Input("x", source)
    assert (each.is_remote, each.is_file, each.s3_prefix, each.problem) == (True, is_file, prefix, None)


def test_local_files_and_folders(tmp_path):
    (tmp_path / "w.pth").touch()
    (tmp_path / "folder.d").mkdir()
    assert Input("x", str(tmp_path / "w.pth")).is_file and not Input("x", str(tmp_path / "folder.d")).is_file
    assert Input("x", str(tmp_path)).s3_prefix == str(tmp_path)
    assert Input.for_setting("train_groups", "x").name == "train-groups"


def test_all_problems_of_inputs_are_in_one_message(tmp_path):
    inputs = [Input("weights", "nowhere"), Input("labels", str(tmp_path))]
    with pytest.raises(InputError) as raised:
        check_inputs(inputs, {"train": "--data", "labels": "--labels"})
    assert str(raised.value).splitlines() == [
        *("inputs:", "  train: missing; set --data to its folder or s3:// prefix"),
        "  weights: nowhere: no such file or folder",
    ]
