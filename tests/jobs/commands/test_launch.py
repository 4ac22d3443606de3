"""Starting jobs on each backend, SageMaker's on a moto server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.spec.job import Job
from jobs.storage.s3 import S3Uri
from tests.jobs.conftest import ACCOUNT, BUCKET, keys, run_jobs, saved_model, write_training_results


def test_a_training_uploads_its_folder_and_downloads_its_model(aws, pictures, tmp_path, capsys):
    output_folder = tmp_path / "left"
    output_folder.mkdir()
    (output_folder / "split.csv").write_text("path\n")
    write_training_results("exp-1", tmp_path, model=saved_model(tmp_path / "made"), output=output_folder)
    flags = ("train", *ACCOUNT, "--on", "sagemaker", "--data", str(pictures), "--job_name", "exp-1", "--wait")
    assert run_jobs(*flags, "--epochs", "3", "--spot") == 0
    output = capsys.readouterr().out
    assert "5 files uploaded" in output and "resnet10t, 2 classes" in output
    assert "0.5000" in output and "val_f1" in output and "saved model" in output
    job = aws("sagemaker").describe_training_job(TrainingJobName="exp-1")
    assert job["HyperParameters"] == {"epochs": "3"}
    source = job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert len(keys(S3Uri.parse(source).key)) == 5
    results = Path("results/exp-1")
    assert sorted(path.name for path in results.iterdir()) == [
        *("job.json", "model", "model.tar.gz", "output", "output.tar.gz")
    ]
    assert (results / "output" / "split.csv").is_file()

    assert run_jobs("train", *flags[1:]) == 2  # the name exists
    assert run_jobs("status") == 0 and "training exp-1: Completed" in capsys.readouterr().out
    assert run_jobs("logs", "exp", "--follow", "false") == 0 and "started" in capsys.readouterr().out
    assert run_jobs("fetch", "latest") == 0 and "2 classes" in capsys.readouterr().out
    assert run_jobs("list") == 0 and "exp-1" in capsys.readouterr().out
    assert run_jobs("list", "--all", "--most", "5") == 0 and "Completed" in capsys.readouterr().out
    assert run_jobs("status", "exq-1") == 2 and "nearest: exp-1" in capsys.readouterr().err


def test_inference_and_evaluation_as_processing_jobs(aws, pictures, tmp_path, capsys):
    s3 = aws("s3")
    s3.put_object(Bucket=BUCKET, Key="rarebird/answers-1/output/output.csv", Body=b"ImageID,ans\n")
    flags = ("--on", "sagemaker", "--wait")
    model = ("--model_dir", f"s3://{BUCKET}/m/model.tar.gz")
    assert run_jobs("inference", *ACCOUNT, *flags, "--data", str(pictures), *model, "--job_name", "answers-1") == 0
    assert Path("results/answers-1/output/output.csv").is_file()
    truth = tmp_path / "gt"
    truth.mkdir()
    (truth / "gt.csv").write_text("ImageID,ans\n")
    evaluation = {"rarebird": {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in ("accuracy", "macro_f1")}}
    s3.put_object(
        Bucket=BUCKET, Key="rarebird/scores-1/evaluation/evaluation.json", Body=json.dumps(evaluation).encode()
    )
    inputs = ("--ground_truth_dir", str(truth), "--output_data_dir", "answers-1", "--job_name", "scores-1")
    assert run_jobs("evaluation", *ACCOUNT, *flags, *inputs) == 0
    assert "macro_f1: 0.5000 (0.4000 to 0.6000)" in capsys.readouterr().out
    request = json.loads(Path("results/scores-1/job.json").read_text())["request"]
    sources = {entry["InputName"]: entry["S3Input"]["S3Uri"] for entry in request["ProcessingInputs"]}
    assert sources["predictions"] == f"s3://{BUCKET}/rarebird/answers-1/output/"


def test_all_uploads_are_encrypted_with_the_key(aws, pictures, tmp_path):
    model = saved_model(tmp_path / "model")
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt" / "gt.csv").write_text("ImageID,ans\n")
    flags = (*ACCOUNT, "--kms_key", "alias/mine", "--on", "sagemaker", "--data", str(pictures))
    assert run_jobs("transform", *flags, "--model_dir", str(model), "--job_name", "k-1") == 0
    assert run_jobs("train", *flags, "--script_mode", "--job_name", "k-2") == 0
    chain = ("--eval_data", str(pictures / "a"), "--truth", str(tmp_path / "gt"), "--job_name", "k-3")
    assert run_jobs("pipeline", *flags, *chain) == 0
    uploaded = keys("rarebird/")
    for name in ("sourcedir.tar.gz", "gt.csv", "model.tar.gz"):
        assert any(key.endswith(name) for key in uploaded)
    for key in uploaded:
        assert aws("s3").head_object(Bucket=BUCKET, Key=key)["SSEKMSKeyId"].endswith("alias/mine"), key


@pytest.mark.parametrize("backend", ["here", "docker"])
def test_on_selects_the_backend(backend, monkeypatch):
    module = {"here": "local_process", "docker": "docker"}[backend]
    jobs: list[Job] = []
    monkeypatch.setattr(f"jobs.backends.{module}.run", lambda job, *_: jobs.append(job) or 7)
    Path("data").mkdir()
    assert run_jobs("train", "--on", backend, "--data", "data", "--job_name", "exp-1") == 7
    assert [job.name for job in jobs] == ["exp-1"]


@pytest.mark.parametrize("backend", ["here", "docker", "sagemaker"])
def test_a_name_with_results_is_an_error_before_anything_is_sent(backend, capsys):
    Path("results/exp-1").mkdir(parents=True)
    flags = ("--on", backend, "--data", "s3://b/x", "--job_name", "exp-1")
    assert run_jobs("train", *(ACCOUNT if backend == "sagemaker" else ()), *flags) == 2
    assert "results/exp-1 already exists; use another --job_name" in capsys.readouterr().err


def test_settings_of_this_machine_are_not_sent(dry_run):
    _, _, err = dry_run("train", "--data", "s3://b/x", "--model_dir", "runs", "--checkpoint_dir", "c")
    assert err == "not sent, the job uses its own folders: model_dir, checkpoint_dir\n"


@pytest.mark.parametrize(
    ("arguments", "location"),
    [
        ("inference --data s3://b/e --model_dir s3://b/m --output answers/x.csv", "results/j/output/x.csv"),
        ("evaluation --ground_truth_dir s3://b/g --output_data_dir s3://b/a --output scores", "results/j/evaluation"),
    ],
)
def test_an_output_elsewhere_is_written_to_the_results_folder_with_a_message(arguments, location, dry_run):
    code, out, err = dry_run(*arguments.split(), "--job_name", "j")
    request = json.loads(out)
    assert code == 0 and f"the result will be {location}\n" in err
    assert not any("/" in word for word in request["AppSpecification"]["ContainerArguments"])
    output = request["ProcessingOutputConfig"]["Outputs"][0]
    assert output["S3Output"]["S3Uri"].endswith(f"/j/{location.split('/')[2]}")


def test_an_invalid_request_is_an_error_before_local_data_is_read(aws, pictures, monkeypatch, capsys):
    monkeypatch.setattr("jobs.storage.planned_uploads.read_content", lambda *_: pytest.fail("the data is read"))
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", str(pictures), "--instance", "m5") == 2
    assert "ResourceConfig.InstanceType (--instance)" in capsys.readouterr().err


def test_the_costs_of_a_job_are_printed_once_before_anything_is_sent(aws, pictures, capsys):
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", str(pictures), "--job_name", "exp-1") == 0
    lines = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["AWS charges for", "train"] and lines.count("AWS charges for") == 1


@pytest.mark.parametrize("results", ["file", "file/below"])
def test_no_job_is_started_if_its_record_cannot_be_written(results, aws, pictures, capsys):
    Path("file").touch()
    flags = ("--data", f"s3://{BUCKET}/x", "--results", results)
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", *flags) == 2
    assert f"--results {results}: " in capsys.readouterr().err
    assert aws("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


def test_a_record_that_cannot_be_written_after_the_start_is_an_error(aws, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobs.spec.record.write_json", full)
    flags = ("--data", f"s3://{BUCKET}/x", "--job_name", "exp-1")
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", *flags) == 1
    assert (
        "training exp-1 was started, but its record cannot be written: [Errno 28] No space left"
        in capsys.readouterr().err
    )
