"""Sizes of inputs are checked before anything is paid for."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from jobs.aws.clients import Clients
from jobs.backends import input_sizes
from jobs.backends.input_sizes import GIB, check_payload, check_sizes
from jobs.spec.inputs import Input
from jobs.spec.job import Machine
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, keys, run_jobs
from tests.jobs.examples import EVALUATION_JOB, TRAINING_JOB


def sparse(folder, name: str, size: int):
    folder.mkdir(exist_ok=True)
    with (folder / name).open("wb") as file:
        file.truncate(size)
    return folder


@pytest.mark.parametrize(
    "arguments", ["train", "tune --ranges '{lr: [0.1, 0.2]}'", "pipeline --eval_data s3://b/e --truth s3://b/g"]
)
def test_a_folder_larger_than_the_volume_is_an_error_before_it_is_read(arguments, tmp_path, dry_run):
    big = sparse(tmp_path / "big", "x.jpg", 60 * GIB)
    code, out, err = dry_run(*shlex.split(arguments), "--data", str(big))
    assert (code, out) == (2, "")
    assert (
        "--volume_gb 30 is too small: the inputs have at least 60.0 GB (train 60.0 GB); use --volume_gb 73 or more"
        in err
    )
    assert "or --mode FastFile" in err


def test_inputs_of_inference_and_of_a_pipelines_second_step_are_checked(tmp_path, dry_run):
    big = sparse(tmp_path / "big", "x.jpg", 60 * GIB)
    code, _, err = dry_run("pipeline", "--data", "s3://b/t", "--eval_data", str(big), "--truth", "s3://b/g")
    assert code == 2 and "(eval_data 60.0 GB)" in err
    code, _, err = dry_run("inference", "--data", str(big), "--model_dir", "s3://b/m/model.tar.gz", "--volume_gb", "0")
    assert code == 2 and "--volume_gb 30 is too small: the inputs have" in err and "FastFile" not in err


@pytest.mark.parametrize(
    ("machine", "mode"),
    [
        (Machine(volume_gb=80), "File"),
        (Machine(), "FastFile"),
        (Machine(volume_gb=None), "File"),
        (Machine("ml.g5.xlarge"), "File"),  # has its own disk of another size
    ],
)
def test_inputs_that_fit_or_are_not_copied_are_accepted(machine, mode, tmp_path):
    data = sparse(tmp_path / "big", "x.jpg", 60 * GIB)
    check_sizes(replace(TRAINING_JOB, machine=machine, inputs=(Input("train", str(data), mode),)), None)


def test_sizes_of_local_inputs_and_inputs_in_s3_are_added(aws, tmp_path, monkeypatch):
    monkeypatch.setattr(input_sizes, "GIB", 1000)
    s3 = aws("s3")
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"in/{number}", Body=bytes(9_000))
    data = sparse(tmp_path / "data", "x", 4_000)
    inputs = (Input("predictions", f"s3://{BUCKET}/in"), Input("ground_truth", str(data)))
    job = replace(EVALUATION_JOB, inputs=inputs)
    check_sizes(job, None)  # a dry run does not list S3
    with pytest.raises(InputError, match=r"at least 31\.0 GB \(predictions 27\.0 GB, ground_truth 4\.0 GB\)"):
        check_sizes(job, Clients())
    check_sizes(replace(job, inputs=(*inputs[1:], Input("predictions", "s3://no-such-bucket/in"))), Clients())
    monkeypatch.setattr(input_sizes, "MOST_LISTED", 2)
    check_sizes(job, Clients())


def test_images_larger_than_the_payload_are_an_error(tmp_path, aws, capsys):
    folder = sparse(tmp_path / "pay", "big.jpg", 9_000_000)
    for name, size in (("small.jpg", 5), ("table.csv", 200_000_000)):
        sparse(folder, name, size)
    flags = ("--data", str(folder), "--model_dir", f"s3://{BUCKET}/m/model.tar.gz")
    assert run_jobs("transform", *ACCOUNT, *flags) == 2
    err = capsys.readouterr().err
    assert "--max_payload_mb 6: 1 images are larger: big.jpg (8.6 MB); use --max_payload_mb 9" in err and keys() == []
    assert run_jobs("transform", *ACCOUNT, *flags, "--max_payload_mb", "9", "--dry_run") == 0
    aws("s3").put_object(Bucket=BUCKET, Key="p/1.jpg", Body=bytes(1_100_000))
    with pytest.raises(InputError, match=r"1\.jpg \(1\.0 MB\); use --max_payload_mb 2"):
        check_payload(Input("pictures", f"s3://{BUCKET}/p"), 1, Clients())
    check_payload(Input("pictures", f"s3://{BUCKET}/p"), 0, Clients())
    huge = sparse(tmp_path / "huge", "1.jpg", 150 << 20)
    with pytest.raises(
        InputError, match=r"python -m jobs inference, which has no limit \(a batch transform takes at most 100 MB"
    ):
        check_payload(Input("pictures", str(huge)), 6, None)
