"""Registering model versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.commands.register import read_evaluation
from jobs.storage.s3 import S3Uri
from model.errors import InputError
from tests.jobs.commands.test_creation import fail
from tests.jobs.conftest import BUCKET, REGISTRY_ACCOUNT, keys, run_jobs, saved_model


def write_evaluation(path: Path, value: float, low: float | None = None, high: float | None = None) -> Path:
    scores = {name: {"value": value, "low": low, "high": high} for name in ("accuracy", "macro_f1")}
    path.write_text(json.dumps({"rarebird": scores, "multiclass_classification_metrics": {}}))
    return path


def test_a_registered_version_is_never_overwritten(aws, tmp_path, capsys):
    model = saved_model(tmp_path / "model")
    uris = []
    for value in (0.5, 0.75):
        (model / "README.md").write_text(f"of {value}")
        evaluation = write_evaluation(tmp_path / "evaluation.json", value)
        flags = (*REGISTRY_ACCOUNT, "--model_dir", str(model), "--evaluation", str(evaluation))
        assert run_jobs("register", *flags, "--job_name", f"v-{value:.0%}".strip("%")) == 0
        arn = capsys.readouterr().out.splitlines()[-1]
        package = aws("sagemaker").describe_model_package(ModelPackageName=arn)
        url = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        uris.append((url, package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]))
    assert len({*uris[0], *uris[1]}) == 4
    key = S3Uri.parse(uris[0][1]).key
    first = aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert json.loads(first)["rarebird"]["accuracy"]["value"] == 0.5
    assert run_jobs("register", *flags, "--job_name", "v-50") == 2
    assert "already exists; use another --job_name" in capsys.readouterr().err
    remote = (*REGISTRY_ACCOUNT, "--model_dir", uris[0][0], "--evaluation", str(evaluation), "--job_name", "v-50")
    assert run_jobs("register", *remote) == 2  # would overwrite the evaluation of the first version
    assert aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == first


def test_a_refused_version_can_be_repeated(aws, tmp_path, monkeypatch):
    evaluation = write_evaluation(tmp_path / "evaluation.json", 0.5)
    model = saved_model(tmp_path / "model")
    flags = (*REGISTRY_ACCOUNT, "--model_dir", str(model), "--evaluation", str(evaluation), "--job_name", "v-1")
    with monkeypatch.context() as patch:
        fail(patch, "CreateModelPackage")
        assert run_jobs("register", *flags) == 2
    assert keys("rarebird/v-1/") == []
    assert run_jobs("register", *flags) == 0
    assert len(keys("rarebird/v-1/")) == 2


def test_a_model_is_registered_with_its_scores(aws, tmp_path, capsys):
    evaluation = write_evaluation(tmp_path / "evaluation.json", 0.5, 0.4, 0.6)
    flags = (*REGISTRY_ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--evaluation", str(evaluation))
    for _ in range(2):  # the second time the group exists
        assert run_jobs("register", *flags, "--group", "faces") == 0
    arn = capsys.readouterr().out.splitlines()[-1]
    package = aws("sagemaker").describe_model_package(ModelPackageName=arn)
    assert package["CustomerMetadataProperties"]["macro_f1_low"] == "0.4000"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/evaluation.json")


@pytest.mark.parametrize(
    ("flags", "message"), [("--group a_b", "ModelPackageGroupName"), ("--evaluation nowhere.json", "nowhere.json")]
)
def test_invalid_register_flags_are_errors(flags, message, dry_run):
    code, out, err = dry_run("register", "--model_dir", "s3://b/m/model.tar.gz", *flags.split())
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("content", ["{}", "[1]", "no json", '{"rarebird": {"macro_f1": {"value": 1}}}'])
def test_other_files_are_not_accepted_as_evaluation(content, tmp_path):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(InputError, match=r"other\.json: expected an evaluation\.json"):
        read_evaluation(tmp_path / "other.json")
