"""Records of jobs, and finding jobs by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.spec.record import JobRecord, find_record, read_records, required_record
from model.errors import InputError

WRITTEN_BEFORE = {  # a record of version 0.1.0
    "name": "old-1",
    "what": "train",
    "kind": "training",
    "on": "sagemaker",
    "started": "2026-11-20T09:30:00+00:00",
    "places": {"model": "s3://b/rarebird/old-1/output/model.tar.gz"},
    "request": {"TrainingJobName": "old-1"},
    "region": "eu-west-1",
    "profile": "",
    "code": None,
    "stopped": False,
    "restarted_as": "",
}


def save_record(results: Path, name: str, started: str, **more: Any) -> JobRecord:
    record = JobRecord(name, "train", "training", "here", started, results / name, **more)
    record.save()
    return record


def test_the_json_keys_are_those_of_earlier_versions(tmp_path):
    path = tmp_path / "old-1" / "job.json"
    path.parent.mkdir()
    path.write_text(json.dumps(WRITTEN_BEFORE))
    record = JobRecord.read(path)
    assert (record.command, record.outputs["model"]) == ("train", "s3://b/rarebird/old-1/output/model.tar.gz")
    assert record.folder == path.parent
    record.save()
    assert json.loads(path.read_text()) == WRITTEN_BEFORE


def test_records_are_sorted_by_start_and_invalid_files_skipped(tmp_path):
    for name, started in (("b", "2026-01"), ("a", "2026-02"), ("c", "2025")):
        save_record(tmp_path, name, started)
    for name, text in (("text", "no json"), ("list", "[1]"), ("other", '{"name": "x"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "job.json").write_text(text)
    assert [record.name for record in read_records(tmp_path)] == ["c", "b", "a"]
    assert read_records(tmp_path, ("tune",)) == [] == read_records(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("query", "name"),
    [("exp", "exp"), ("exp-", "exp-2"), ("ot", "other"), ("latest", "other"), ("", "other"), ("e", None), ("x", None)],
)
def test_a_job_is_found_by_its_name_a_prefix_or_as_the_latest(query, name, tmp_path):
    for known, started in (("exp", "2026-01"), ("exp-2", "2026-02"), ("other", "2026-03")):
        save_record(tmp_path, known, started)
    record = find_record(tmp_path, query)
    assert (record.name if record else None) == name


def test_unknown_and_ambiguous_names_are_errors(tmp_path):
    for name in ("exp", "exp-2", "other"):
        save_record(tmp_path, name, "2026")
    with pytest.raises(InputError, match=r"the names of 2 jobs in .* start with e: exp, exp-2"):
        required_record(tmp_path, "e")
    with pytest.raises(InputError, match=r"no job 'othr' in .*; nearest: other"):
        required_record(tmp_path, "othr")


def test_a_restarted_job_is_replaced_by_the_new_one(tmp_path):
    save_record(tmp_path, "exp-1", "2026-01", restarted_as="exp-2")
    save_record(tmp_path, "exp-2", "2026-02")
    for query in ("exp-1", "exp"):
        assert required_record(tmp_path, query).name == "exp-2"


@pytest.mark.parametrize(
    ("code", "stopped", "state"),
    [
        *((None, False, "not done"), (0, False, "done"), (0, True, "stopped")),
        *((130, False, "stopped"), (143, False, "stopped"), (5, False, "failed with exit code 5")),
    ],
)
def test_states_of_a_job(code, stopped, state, tmp_path):
    assert save_record(tmp_path, "j", "2026", code=code, stopped=stopped).state == state
