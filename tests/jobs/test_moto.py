"""The verbs with real boto3 calls against a moto server. moto ends each job at once and leaves nothing in S3 or in the
logs: what a job leaves is put there by the test."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from container.job_types import TRAIN
from jobs.__main__ import SUBCOMMANDS
from jobs.aws.clients import Clients
from jobs.backends import local_process as here
from jobs.commands.doctor import CHECKS, diagnose
from jobs.commands.image import is_there, repository_of
from jobs.spec.flags import AccountFlags
from jobs.spec.job import Input, Job
from jobs.storage.s3 import PART, digests, get_folder, objects, parse
from jobs.storage.upload import send_folder
from model.artifacts.archive import pack
from model.errors import Failure, InputError
from model.subcommands import run_subcommand
from tests.jobs.conftest import ACCOUNT
from tests.jobs.test_archive import saved_model

BUCKET = "rarebird-test"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"})


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch, no_account: None) -> Callable[[str], Any]:
    """Makes a client of the server, emptied, with a bucket; the verbs use the same server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("jobs.aws.follow.POLL", 0.0)
    subprocess_free_post(f"{server}/moto-api/reset")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return boto3.client


def subprocess_free_post(url: str) -> None:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(url, method="POST")).read()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "train"
    for name in ("a/1.jpg", "a/2.jpg", "b/착용 3.jpg", "a.jpg", "a-b.jpg", ".hidden/4.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 50)
    return folder


def keys(prefix: str = "") -> list[str]:
    return [found.key for found in objects(boto3.client("s3"), parse(f"s3://{BUCKET}/{prefix}"))]


def verb(name: str, *flags: str) -> int:
    return run_subcommand("jobs", SUBCOMMANDS, [name, *flags])


def leave(job: str, folder: Path, **archives: Path) -> None:
    """Puts what a training would leave into S3, and lines into its log."""
    s3, logs = boto3.client("s3"), boto3.client("logs")
    for name, content in archives.items():
        archive = folder / f"{name}.tar.gz"
        pack(content, archive, lead="data/" if name == "output" else "")
        s3.upload_file(str(archive), BUCKET, f"rarebird/{job}/output/{name}.tar.gz")
    group, stream = "/aws/sagemaker/TrainingJobs", f"{job}/algo-1-1700000000"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    lines = ["started", "epoch=1 val_f1=0.5000; val_acc=0.6000; lr=0.001; pictures_per_second=9.0;", "saved model"]
    logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": line} for line in lines]
    )


def test_a_training_from_a_folder_to_a_model(aws, pictures, tmp_path, capsys):
    output = tmp_path / "left"
    output.mkdir()
    (output / "split.csv").write_text("path\n")
    leave("exp-1", tmp_path, model=saved_model(tmp_path / "made"), output=output)
    flags = ("train", *ACCOUNT, "--on", "sagemaker", "--data", str(pictures), "--job_name", "exp-1", "--wait")
    assert verb(*flags, "--epochs", "3", "--spot") == 0
    told = capsys.readouterr().out
    assert "5 files sent" in told and "resnet10t, 2 classes" in told
    assert "0.5000" in told and "val_f1" in told and "saved model" in told
    sent = aws("sagemaker").describe_training_job(TrainingJobName="exp-1")
    assert sent["HyperParameters"] == {"epochs": "3"}
    source = sent["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert len(keys(parse(source).key)) == 5
    results = Path("results/exp-1")
    assert sorted(path.name for path in results.iterdir()) == [
        *("job.json", "model", "model.tar.gz", "output", "output.tar.gz")
    ]
    assert (results / "output" / "split.csv").is_file()

    assert verb("train", *flags[1:]) == 2  # the name is taken
    assert verb("status") == 0 and "training exp-1: Completed" in capsys.readouterr().out
    assert verb("logs", "exp", "--follow", "false") == 0 and "started" in capsys.readouterr().out
    assert verb("fetch", "latest") == 0 and "2 classes" in capsys.readouterr().out
    assert verb("list") == 0 and "exp-1" in capsys.readouterr().out
    assert verb("list", "--all", "--most", "5") == 0 and "Completed" in capsys.readouterr().out
    assert verb("status", "exq-1") == 2 and "nearest: exp-1" in capsys.readouterr().err


def test_a_job_started_elsewhere_is_found_by_name_and_region(aws, tmp_path, capsys):
    leave("exp-2", tmp_path, model=saved_model(tmp_path / "made"))
    assert verb("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-2") == 0
    assert "python -m jobs logs exp-2" in capsys.readouterr().out
    assert verb("fetch", "exp-2", "--region", "eu-west-1", "--results", "elsewhere") == 0
    assert Path("elsewhere/exp-2/model/model.safetensors").is_file()


def test_a_region_of_the_config_file_counts(aws, tmp_path, monkeypatch):
    leave("exp-6", tmp_path, model=saved_model(tmp_path / "made"))
    assert verb("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-6") == 0
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert verb("fetch", "exp-6", "--results", "elsewhere") == 2
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert verb("fetch", "exp-6", "--results", "elsewhere") == 0


def test_the_best_training_of_a_search_that_cannot_be_asked_for_is_told(tmp_path):
    from botocore.exceptions import ClientError

    from jobs.aws.job_kinds import TUNING
    from jobs.results.fetch import fetch

    class Refusing:
        class sagemaker:
            @staticmethod
            def describe_training_job(**_: Any) -> None:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeTrainingJob")

    description = {"BestTrainingJob": {"TrainingJobName": "best-1"}}
    with pytest.raises(InputError, match="training best-1: not allowed"):
        fetch(Refusing, TUNING, description, tmp_path / "r", print)  # type: ignore[arg-type]


def test_a_model_that_is_no_model_is_a_failure(aws, tmp_path, capsys):
    made = saved_model(tmp_path / "made")
    (made / "labels.json").unlink()
    leave("exp-3", tmp_path, model=made)
    flags = ("--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-3", "--wait")
    assert verb("train", *ACCOUNT, *flags) == 1
    assert "labels.json" in capsys.readouterr().err


def test_an_uncompressed_model_is_fetched(aws, tmp_path):
    class Uncompressed:
        s3 = boto3.client("s3")
        sagemaker = None

    from jobs.aws.job_kinds import TRAINING
    from jobs.results.fetch import fetch

    send_folder(Uncompressed.s3, saved_model(tmp_path / "made"), parse(f"s3://{BUCKET}/j/output/model/"))
    description = {"ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/j/output/model/"}}
    told: list[str] = []
    fetch(Uncompressed, TRAINING, description, tmp_path / "r", told.append)  # type: ignore[arg-type]
    assert "2 classes" in told[-1]


def test_inference_and_evaluation_as_processing_jobs(aws, pictures, tmp_path, capsys):
    s3 = aws("s3")
    s3.put_object(Bucket=BUCKET, Key="rarebird/answers-1/output/output.csv", Body=b"ImageID,ans\n")
    flags = ("--on", "sagemaker", "--wait")
    model = ("--model_dir", f"s3://{BUCKET}/m/model.tar.gz")
    assert verb("inference", *ACCOUNT, *flags, "--data", str(pictures), *model, "--job_name", "answers-1") == 0
    assert Path("results/answers-1/output/output.csv").is_file()
    truth = tmp_path / "gt"
    truth.mkdir()
    (truth / "gt.csv").write_text("ImageID,ans\n")
    evaluation = {"rarebird": {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in ("accuracy", "macro_f1")}}
    s3.put_object(
        Bucket=BUCKET, Key="rarebird/scores-1/evaluation/evaluation.json", Body=json.dumps(evaluation).encode()
    )
    named = ("--ground_truth_dir", str(truth), "--output_data_dir", "answers-1", "--job_name", "scores-1")
    assert verb("evaluation", *ACCOUNT, *flags, *named) == 0
    assert "macro_f1: 0.5000 (0.4000 to 0.6000)" in capsys.readouterr().out
    request = json.loads(Path("results/scores-1/job.json").read_text())["request"]
    sources = {given["InputName"]: given["S3Input"]["S3Uri"] for given in request["ProcessingInputs"]}
    assert sources["predictions"] == f"s3://{BUCKET}/rarebird/answers-1/output/"


def test_a_model_at_work(aws, pictures, tmp_path, capsys):
    model = saved_model(tmp_path / "made")
    (pictures / "info.csv").write_text("ImageID,ans\n")
    flags = (*ACCOUNT, "--model_dir", str(model))
    assert verb("transform", *flags, "--data", str(pictures), "--job_name", "t-1") == 0
    made = aws("sagemaker").describe_transform_job(TransformJobName="t-1")
    assert made["BatchStrategy"] == "SingleRecord" and made["ModelName"] == "t-1"
    url = aws("sagemaker").describe_model(ModelName="t-1")["PrimaryContainer"]["ModelDataUrl"]
    assert parse(url).key in keys("rarebird/t-1/model/")
    sent = parse(made["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]).key
    assert len(keys(sent)) == 5 and not any(key.endswith(".csv") for key in keys(sent))
    for kind in ("realtime", "serverless", "async"):
        assert verb("deploy", *flags, "--kind", kind, "--job_name", f"e-{kind}") == 0
        assert aws("sagemaker").describe_endpoint(EndpointName=f"e-{kind}")["EndpointStatus"] == "InService"
    capsys.readouterr()
    assert verb("stop", "e-async") == 0
    assert "e-async is deleted: endpoint, configuration, model" in capsys.readouterr().out
    left = aws("sagemaker").list_models()["Models"], aws("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    assert not any("e-async" in json.dumps(part, default=str) for part in left)
    evaluation = tmp_path / "evaluation.json"
    scores = {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in ("accuracy", "macro_f1")}
    evaluation.write_text(json.dumps({"rarebird": scores, "multiclass_classification_metrics": {}}))
    capsys.readouterr()
    for _ in range(2):  # the group is there the second time
        assert verb("register", *flags, "--evaluation", str(evaluation), "--group", "faces") == 0
    arn = capsys.readouterr().out.splitlines()[-1]
    package = aws("sagemaker").describe_model_package(ModelPackageName=arn)
    assert package["CustomerMetadataProperties"]["macro_f1_low"] == "0.4000"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/evaluation.json")


def test_a_version_in_the_registry_stays_as_it_is(aws, tmp_path, capsys):
    model, evaluation = saved_model(tmp_path / "made"), tmp_path / "evaluation.json"
    places = []
    for value in (0.5, 0.75):
        (model / "README.md").write_text(f"of {value}")
        scores = {name: {"value": value, "low": None, "high": None} for name in ("accuracy", "macro_f1")}
        evaluation.write_text(json.dumps({"rarebird": scores, "multiclass_classification_metrics": {}}))
        flags = (*ACCOUNT, "--model_dir", str(model), "--evaluation", str(evaluation))
        assert verb("register", *flags, "--job_name", f"v-{value:.0%}".strip("%")) == 0
        arn = capsys.readouterr().out.splitlines()[-1]
        package = aws("sagemaker").describe_model_package(ModelPackageName=arn)
        url = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        places.append((url, package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]))
    assert len({*places[0], *places[1]}) == 4
    first = aws("s3").get_object(Bucket=BUCKET, Key=parse(places[0][1]).key)["Body"].read()
    assert json.loads(first)["rarebird"]["accuracy"]["value"] == 0.5
    assert verb("register", *flags, "--job_name", "v-50") == 2
    assert "is there already; another --job_name" in capsys.readouterr().err
    remote = (*ACCOUNT, "--model_dir", places[0][0], "--evaluation", str(evaluation), "--job_name", "v-50")
    assert verb("register", *remote) == 2  # the evaluation of the first version
    assert json.loads(aws("s3").get_object(Bucket=BUCKET, Key=parse(places[0][1]).key)["Body"].read()) == json.loads(
        first
    )


def test_all_that_is_sent_is_sent_under_the_key(aws, pictures, tmp_path, monkeypatch):
    model = saved_model(tmp_path / "made")
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt" / "gt.csv").write_text("ImageID,ans\n")
    flags = (*ACCOUNT, "--kms_key", "alias/mine", "--on", "sagemaker", "--data", str(pictures))
    assert verb("transform", *flags, "--model_dir", str(model), "--job_name", "k-1") == 0
    assert verb("train", *flags, "--script_mode", "--job_name", "k-2") == 0
    chain = ("--eval_data", str(pictures / "a"), "--truth", str(tmp_path / "gt"), "--job_name", "k-3")
    assert verb("pipeline", *flags, *chain) == 0
    sent = keys("rarebird/")
    assert any(key.endswith("sourcedir.tar.gz") for key in sent) and any(key.endswith("gt.csv") for key in sent)
    for key in sent:
        assert aws("s3").head_object(Bucket=BUCKET, Key=key)["SSEKMSKeyId"].endswith("alias/mine"), key


def test_a_search_in_script_mode_sends_its_source(aws, pictures, capsys):
    flags = ("--data", str(pictures), "--ranges", "{lr: [0.0001, 0.01]}", "--script_mode", "--job_name", "s-2")
    assert verb("tune", *ACCOUNT, *flags) == 0
    assert "the container installs" in capsys.readouterr().out
    made = aws("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="s-2")
    static = made["TrainingJobDefinition"]["StaticHyperParameters"]
    place = parse(json.loads(static["sagemaker_submit_directory"]))
    assert keys(place.key) == ["rarebird/s-2/source/sourcedir.tar.gz"]


def test_a_search(aws, pictures):
    flags = ("--data", str(pictures), "--ranges", "{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}")
    assert verb("tune", *ACCOUNT, *flags, "--job_name", "s-1") == 0
    made = aws("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="s-1")
    assert made["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"] == "val_f1"


def test_only_changes_are_sent(aws, pictures):
    place, s3 = parse(f"s3://{BUCKET}/up"), aws("s3")
    assert send_folder(s3, pictures, place).files == 5
    assert keys("up/") == ["up/a-b.jpg", "up/a.jpg", "up/a/1.jpg", "up/a/2.jpg", "up/b/착용 3.jpg"]
    again = send_folder(s3, pictures, place)
    assert (again.files, again.same) == (0, 5)
    (pictures / "a" / "1.jpg").write_bytes(b"x" * (pictures / "a" / "1.jpg").stat().st_size)  # of the same size
    (pictures / "a" / "0.jpg").write_bytes(b"new")
    sent = send_folder(s3, pictures, place)
    assert (sent.files, sent.same) == (2, 4)
    (pictures / "a" / "2.jpg").unlink()
    with pytest.raises(InputError, match=r"1 objects are not in .*: a/2\.jpg; --delete removes them there"):
        send_folder(s3, pictures, place)
    assert send_folder(s3, pictures, place, delete=True).removed == 1
    assert "up/a/2.jpg" not in keys("up/")


def test_objects_that_cannot_be_removed_are_told(aws, pictures, monkeypatch):
    from botocore.exceptions import ClientError

    place, s3 = parse(f"s3://{BUCKET}/up"), aws("s3")
    send_folder(s3, pictures, place)
    (pictures / "a.jpg").unlink()
    answer = {"Errors": [{"Key": "up/a.jpg", "Code": "AccessDenied", "Message": "Access Denied"}]}
    monkeypatch.setattr(s3, "delete_objects", lambda **_: answer)
    with pytest.raises(Failure, match=r"1 of 1 objects could not be removed: a\.jpg \(AccessDenied: Access Denied\)"):
        send_folder(s3, pictures, place, delete=True)

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "s3:DeleteObject"}}, "DeleteObjects")

    monkeypatch.setattr(s3, "delete_objects", denied)
    with pytest.raises(InputError, match="not allowed: s3:DeleteObject"):
        send_folder(s3, pictures, place, delete=True)


def test_what_changed_is_fetched_again_though_its_size_is_the_same(aws, tmp_path, monkeypatch):
    s3, place, down = aws("s3"), parse(f"s3://{BUCKET}/w"), tmp_path / "down"
    for weights in (b"old", b"new"):
        for name in ("changing", "staying"):
            s3.put_object(Bucket=BUCKET, Key=f"w/{name}", Body=weights if name == "changing" else b"x")
        assert get_folder(s3, place, down) == 2
        assert (down / "changing").read_bytes() == weights
    monkeypatch.setattr("jobs.storage.s3.get_file", lambda *_: pytest.fail("it is there already"))
    assert get_folder(s3, place, down) == 2


def test_a_job_that_left_nothing_is_told(aws, pictures, capsys):
    model = ("--model_dir", f"s3://{BUCKET}/m/model.tar.gz")
    for name in ("inference", "transform"):
        place = ("--on", "sagemaker") if name == "inference" else ()
        flags = (*ACCOUNT, *place, "--data", str(pictures), *model, "--job_name", f"empty-{name}")
        assert verb(name, *flags) == 0
        assert verb("fetch", f"empty-{name}") == 2
        assert "the job left nothing there" in capsys.readouterr().err


def test_a_fault_in_what_lies_beside_a_model_does_not_keep_it_away(aws, tmp_path, capsys):
    leave("exp-4", tmp_path, model=saved_model(tmp_path / "made"))
    aws("s3").put_object(Bucket=BUCKET, Key="rarebird/exp-4/output/output.tar.gz", Body=b"no archive")
    flags = ("--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-4", "--wait")
    assert verb("train", *ACCOUNT, *flags) == 2
    told = capsys.readouterr()
    assert "model: results/exp-4/model (resnet10t, 2 classes)" in told.out and "output.tar.gz" in told.err
    assert Path("results/exp-4/model/model.safetensors").is_file()


def test_a_large_file_goes_in_parts_and_only_once(aws, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "shard.tar").write_bytes(os.urandom(1 << 20) * (PART // (1 << 20) * 2 + 1))
    s3, place = aws("s3"), parse(f"s3://{BUCKET}/large")
    assert send_folder(s3, folder, place).files == 1
    head = s3.head_object(Bucket=BUCKET, Key="large/shard.tar")
    assert head["ETag"].strip('"') == digests(folder / "shard.tar")[0]
    assert send_folder(s3, folder, place).same == 1


def test_under_kms_what_was_noted_tells_what_is_there(aws, pictures, monkeypatch):
    s3, place = aws("s3"), parse(f"s3://{BUCKET}/kms")
    send_folder(s3, pictures, place, kms_key="alias/mine")
    real = objects

    def without_md5(client: Any, prefix: Any) -> Any:
        from dataclasses import replace

        return (replace(found, etag="f" * 32) for found in real(client, prefix))

    monkeypatch.setattr("jobs.storage.upload.objects", without_md5)
    assert send_folder(s3, pictures, place, kms_key="alias/mine").same == 5


def test_what_cannot_be_sent_is_told(aws, pictures, tmp_path):
    with pytest.raises(InputError, match="there is no bucket no-such-bucket"):
        send_folder(aws("s3"), pictures, parse("s3://no-such-bucket/x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="nothing in it"):
        send_folder(aws("s3"), tmp_path / "empty", parse(f"s3://{BUCKET}/x"))
    with pytest.raises(InputError, match="expected s3://BUCKET/PREFIX"):
        parse("http://x")


def test_an_input_in_s3_that_is_not_there_begins_no_job(aws, tmp_path):
    job = Job(TRAIN, "t-1", {}, (Input("train", f"s3://{BUCKET}/mistyped"),))
    with pytest.raises(InputError, match=rf"train: s3://{BUCKET}/mistyped: nothing lies there"):
        here.run(job, tmp_path / "results", Clients("eu-west-1"), print)
    assert not (tmp_path / "results" / "t-1").exists()


def test_keys_that_lead_out_of_a_folder_are_refused(aws, tmp_path):
    s3 = aws("s3")
    for key in ("p/good", "p/../../evil", "p//etc/evil"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    with pytest.raises(InputError, match="nothing is fetched"):
        get_folder(s3, parse(f"s3://{BUCKET}/p"), tmp_path / "down")
    assert not (tmp_path / "down").exists() and not (tmp_path / "evil").exists()


def test_the_doctor_tells_all_that_is_missing(aws, capsys, monkeypatch):
    monkeypatch.delitem(CHECKS, "engine")
    assert diagnose(Clients("eu-west-1"), AccountFlags()) == 3
    told = capsys.readouterr().out
    assert all(name in told for name in ("SAGEMAKER_ROLE", "SAGEMAKER_BUCKET", "SAGEMAKER_IMAGE", "ok       region"))

    trust = {"Statement": [{"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    aws("iam").create_role(RoleName="SageMaker", AssumeRolePolicyDocument=json.dumps(trust))
    aws("iam").create_role(RoleName="Other", AssumeRolePolicyDocument="{}")
    ecr = aws("ecr")
    uri = repository_of(ecr, "rarebird")
    assert repository_of(ecr, "rarebird") == uri and not is_there(ecr, "rarebird", "abc")
    assert ecr.describe_repositories()["repositories"][0]["imageTagMutability"] == "IMMUTABLE"
    ecr.put_image(repositoryName="rarebird", imageManifest=MANIFEST, imageTag="abc")
    assert is_there(ecr, "rarebird", "abc")
    role = "arn:aws:iam::123456789012:role/{}"
    good = AccountFlags(role=role.format("SageMaker"), bucket=BUCKET, image=f"{uri}:abc")
    assert diagnose(Clients("eu-west-1"), good) == 0
    bad = AccountFlags(role=role.format("Other"), bucket="another-bucket", image=f"{uri}:abd")
    assert diagnose(Clients("eu-west-1"), bad) == 3
    told = capsys.readouterr().out
    assert "trust policy" in told and "another-bucket" in told and "abd" in told


def test_missing_credentials_are_told(aws, monkeypatch):
    from jobs.backends.sagemaker import send

    clients = Clients("eu-west-1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="no credentials"):
        send(clients, "list_training_jobs", {}, print)
