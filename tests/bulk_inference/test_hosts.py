"""Inference with several hosts, and with several processes on one host."""

from __future__ import annotations

import logging
import shutil

import pytest

from container.job_script import Terminated
from model.errors import Failure, InputError
from tests.bulk_inference.conftest import answers_of, contents, infer, run_host, stop_after, uploaded
from tests.model.data.conftest import pack_with_one_index
from tests.test_without_torch import toy_model


@pytest.mark.parametrize("sharded", [True, False])
def test_two_hosts_that_were_killed_resume_without_repeating_a_part(
    host_trees, model, shards, tmp_path, written, monkeypatch, sharded
):
    one_host = answers_of(infer(shards, model, tmp_path / "one"))
    written.clear()
    trees = host_trees(shards, 2, sharded, "first")
    run_host(trees[0], monkeypatch)  # algo-1 finishes, algo-2 is killed after its first part
    with monkeypatch.context() as patched:
        stop_after(4, written, patched)
        with pytest.raises(Terminated):
            run_host(trees[1], monkeypatch)
    finished = list(written)
    assert len(finished) == 4
    earlier = uploaded(trees, "parts", tmp_path / "s3-parts")
    assert sorted(path.name for path in earlier.iterdir()) == ["algo-1", "algo-2"]

    written.clear()
    trees = host_trees(shards, 2, sharded, "second", earlier)
    for base in reversed(trees):
        run_host(base, monkeypatch)
    assert len(written) == 2 and not set(written) & set(finished)
    assert answers_of(uploaded(trees, "output", tmp_path / "output")) == one_host


def test_another_number_of_hosts_reuses_the_parts(host_trees, model, shards, tmp_path, written, monkeypatch):
    trees = host_trees(shards, 2, True, "first")
    for base in trees:
        run_host(base, monkeypatch)
    earlier = uploaded(trees, "parts", tmp_path / "s3-parts")
    written.clear()
    for base in host_trees(shards, 3, True, "second", earlier):
        run_host(base, monkeypatch)
    assert not written


def test_a_host_without_a_shard_has_nothing_to_do(host_trees, shards, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    (shards / "zzz.txt").write_text("no image")
    bases = host_trees(shards, 8, True)
    for base in bases[6:]:
        run_host(base, monkeypatch)
        assert "eval contains no image for this host" in caplog.text and not (base / "processing" / "output").exists()
        caplog.clear()


def test_split_shards_of_an_earlier_version_and_split_tables_are_refused(
    host_trees, loose, shards, tmp_path, monkeypatch
):
    names = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    old = pack_with_one_index(loose, tmp_path / "old", [names[:9], names[9:]])
    message = r"eval is split between 2 hosts .*shards.csv also lists shards on other hosts.*use FullyReplicated"
    with pytest.raises(InputError, match=message):
        run_host(host_trees(old, 2, True, "old-ml")[0], monkeypatch)
    (shards / "info.csv").write_text("ImageID,ans\n0/00.png,0\n")
    with pytest.raises(
        InputError, match=r"the table in this folder lists images that are on other hosts.*use FullyReplicated"
    ):
        run_host(host_trees(shards, 2, True, "table-ml")[0], monkeypatch)


# Several processes


def test_each_process_predicts_its_parts_and_the_first_joins_them(model, loose, tmp_path, written, monkeypatch, caplog):
    whole = infer(loose, model, tmp_path / "whole")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RAREBIRD_RANKS_DIR", str(tmp_path))
    monkeypatch.setenv("RANK", "1")
    infer(loose, model, tmp_path / "output")
    assert written == ["rows-000000012"] and not (tmp_path / "output" / "output.csv").exists()
    (tmp_path / "1.json").write_text('{"code": 0}')
    monkeypatch.setenv("RANK", "0")
    caplog.set_level(logging.INFO)
    infer(loose, model, tmp_path / "output")
    assert written == ["rows-000000012", "rows-000000000"] and "an earlier run" not in caplog.text
    assert contents(tmp_path / "output") == contents(whole) and not (tmp_path / "output" / "parts").exists()


def test_the_first_process_reports_the_parts_that_others_reused(
    stopped, model, shards, tmp_path, written, monkeypatch, caplog
):
    for name in ("shard-00000.tar", "shard-00002.tar"):
        shutil.rmtree(stopped / name)
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RAREBIRD_RANKS_DIR", str(tmp_path))
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        infer(shards, model, tmp_path / "output", "--resume_from", str(stopped))
        (tmp_path / f"{rank}.json").write_text('{"code": 0}')
    assert written == ["shard-00005.tar", "shard-00000.tar", "shard-00002.tar"]
    assert caplog.text.count("parts were finished by an earlier run") == 1
    assert "3 of 6 parts were finished by an earlier run" in caplog.text


def test_parts_that_another_job_writes_meanwhile_are_not_joined(model, loose, tmp_path, monkeypatch):
    other = toy_model(tmp_path / "other", 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RAREBIRD_RANKS_DIR", str(tmp_path))
    monkeypatch.setenv("RANK", "1")
    infer(loose, other, tmp_path / "output")
    (tmp_path / "1.json").write_text('{"code": 0}')
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(Failure, match=r"rows-000000012: not a part of this run"):
        infer(loose, model, tmp_path / "output")


def test_only_the_entry_point_starts_processes(model, loose, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"processes = 2: .* `python -m container.entrypoint inference`"):
        infer(loose, model, tmp_path / "output", "--processes", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun itself sets it
    with pytest.raises(InputError, match=r"torchrun .* python -m container.entrypoint inference"):
        infer(loose, model, tmp_path / "output")
    assert not (tmp_path / "output").exists()
