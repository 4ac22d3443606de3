"""Dividing the images of an inference among its machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.job_types import EVALUATION, INFERENCE
from jobs.aws.clients import Clients
from jobs.spec.inputs import Input
from jobs.spec.job import Job, Machine
from jobs.storage.distribution import distributed, require_parts
from model.data.readers.image_names import is_image
from model.data.readers.shards import INDEX, write_shards
from model.errors import InputError
from tests.jobs.conftest import BUCKET

KINDS = {  # kinds of image folders: None if it is divided, otherwise the reason
    "images": None,
    "shards": None,
    "table": r"info.CSV names images that would be on other machines",
    "earlier shards": rf"{INDEX} names images .*, or is an index of all shards",
    "other tar files": r"a.tar contains no index: pack the images again with python -m jobs shards",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


def fill(folder: Path, kind: str) -> Path:
    """Creates a folder of this kind."""
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "table.csv").write_text("not at the top: no table of the channel\n")
    (folder / "a" / "1.jpg").write_bytes(b"image")
    if kind == "shards":
        shards = folder.with_name("shards")
        write_shards(folder, shards, ["a/1.jpg"], is_image, 9)
        return shards
    if kind == "table":
        (folder / "info.CSV").write_text("ImageID,ans\n")
    elif kind != "images":
        (folder / "a.tar").write_bytes(bytes(1024))
        if kind == "earlier shards":
            (folder / INDEX).write_text("path,shard,offset,size\n")
    return folder


def inference(source: str | Path, machines: int = 4, **settings: str) -> Job:
    inputs = (Input("model", "s3://b/model.tar.gz"), Input("eval", str(source)))
    return Job(INFERENCE, "i-1", settings, inputs, Machine(count=machines))


def is_divided(job: Job) -> bool:
    assert not any(each.sharded for each in job.inputs if each.name != "eval")
    return any(each.sharded for each in job.inputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_remote", [False, True])
def test_images_are_divided_unless_a_table_or_an_index_lists_them(folder, kind, is_remote, request):
    source: str | Path = fill(folder, kind)
    clients = None
    if is_remote:
        s3, clients = request.getfixturevalue("aws")("s3"), Clients("eu-west-1")
        for path in Path(source).rglob("*"):
            if path.is_file():
                s3.upload_file(str(path), BUCKET, f"eval/{path.relative_to(source)}")
        source = f"s3://{BUCKET}/eval"
    assert is_divided(distributed(inference(source), "auto", clients)) is (KINDS[kind] is None)
    assert not is_divided(distributed(inference(source), "replicated", clients))
    assert not is_divided(distributed(inference(source, machines=1), "sharded", clients))
    if KINDS[kind] is None:
        assert is_divided(distributed(inference(source), "sharded", clients))
    else:
        with pytest.raises(
            InputError, match=rf"--distribution sharded: .*: {KINDS[kind]}.*; use --distribution replicated"
        ):
            distributed(inference(source), "sharded", clients)


def test_images_named_by_a_table_setting_and_other_jobs_are_not_divided(folder):
    fill(folder, "images")
    job = inference(folder, table="lists/a.txt")
    assert not is_divided(distributed(job, "auto", None))
    with pytest.raises(InputError, match=r"--table lists/a.txt names images that would be on other machines"):
        distributed(job, "sharded", None)
    other = Job(EVALUATION, "e-1", {}, (Input("pictures", str(folder)),), Machine(count=2))
    assert distributed(other, "auto", None) is other


def test_a_dry_run_does_not_list_s3_and_says_so(capsys):
    job = inference("s3://b/eval")
    assert not is_divided(distributed(job, "auto", None))
    assert "a dry run does not list s3://b/eval" in capsys.readouterr().err
    assert is_divided(distributed(job, "sharded", None)) and not capsys.readouterr().err
    with pytest.raises(InputError, match="names images that would be on other machines"):
        distributed(inference("s3://b/eval", table="a.csv"), "sharded", None)


def test_a_job_without_finished_parts_cannot_be_resumed(aws):
    job = Job(INFERENCE, "i-2", {}, (Input("parts", f"s3://{BUCKET}/i-1/parts/"),))
    with pytest.raises(InputError, match=r"i-1/parts/: contains no finished part to resume from"):
        require_parts(job, Clients("eu-west-1"))
    aws("s3").put_object(Bucket=BUCKET, Key="i-1/parts/algo-1/a/part.json", Body=b"{}")
    require_parts(job, Clients("eu-west-1"))
