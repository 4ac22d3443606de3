"""Inference of many pictures: parts that are kept, taken over and joined, on one host and on several.

A kill is an exception between two parts here; tests/long/test_bulk_inference.py kills processes.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import inference
from container.job_script import Terminated
from model.answers.files import MANIFEST
from model.answers.parts import FinishedPart
from model.artifacts.files import NETWORK_FILES
from model.data.prediction_input import read_info
from model.data.readers.image_names import is_image
from model.data.readers.shards import write_shards
from model.errors import Failure, InputError
from model.prediction import parts as parts_module
from model.prediction.backends import BACKENDS
from tests.model.data.conftest import pack_with_one_index
from tests.test_without_torch import toy_model
from tests.without_torch.child import TOY, ToyBackend

FILES = ("output.csv", "probabilities.csv", "predictions.csv", "errors.csv", "labels.json")
PICTURES = 24


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of small files need not reach the disk."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved model whose network needs no torch and no time."""
    monkeypatch.setattr("model.artifacts.files.NETWORK_FILES", [*NETWORK_FILES, TOY])
    monkeypatch.setitem(BACKENDS, TOY, ToyBackend)
    folder = toy_model(tmp_path / "model", 0)
    with np.load(folder / TOY) as network:
        weight = network["weight"]
    np.savez(folder / TOY, weight=weight, bias=-weight.sum(axis=0) / 2)  # every class is answered for some colour
    return folder


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A folder of pictures, of which two cannot be read."""
    folder = tmp_path / "loose"
    draw = np.random.default_rng(0)
    for number in range(PICTURES):
        (folder / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        pixels = np.linspace(*draw.integers(256, size=(2, 3)), 16).astype(np.uint8)  # from one colour to another
        Image.fromarray(np.stack([pixels] * 12)).save(folder / f"{number % 3}" / f"{number:02d}.png")
    for name in ("0/03.png", "2/14.png"):
        (folder / name).write_bytes(b"no picture")
    return folder


@pytest.fixture
def shards(loose: Path, tmp_path: Path) -> Path:
    """The same pictures in six shards."""
    names = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    sizes = sum((loose / name).stat().st_size for name in names)
    write_shards(loose, tmp_path / "shards", names, is_image, sizes // 5)
    assert len(list((tmp_path / "shards").iterdir())) == 6
    return tmp_path / "shards"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the parts that are predicted and written, as they are."""
    names: list[str] = []
    write = parts_module.write_part

    def counted(folder: Path, *arguments: object) -> object:
        part = write(folder, *arguments)  # type: ignore[arg-type]
        names.append(folder.name)
        return part

    monkeypatch.setattr(parts_module, "write_part", counted)
    return names


def stop_after(count: int, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends an inference by SIGTERM's exception in place of the part after `count`."""
    write = parts_module.write_part

    def stopped(folder: Path, *arguments: object) -> object:
        if len(names) == count:
            folder.with_name(f".{folder.name}.1.part").mkdir(parents=True)  # what a kill leaves
            raise Terminated
        return write(folder, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(parts_module, "write_part", stopped)


def infer(channel: Path, model: Path, output: Path, *flags: str) -> Path:
    where = ["--eval_dir", str(channel), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert inference.main([*where, "--num_workers", "0", "--batch_size", "4", *flags]) == 0
    return output


def contents(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {name: (folder / f"{prefix}{name}").read_bytes() for name in FILES if (folder / f"{prefix}{name}").exists()}


def test_the_answers_of_parts_are_those_of_one_inference(model, loose, shards, tmp_path, written):
    whole = infer(loose, model, tmp_path / "whole")
    assert not written and "errors.csv" in contents(whole)
    assert pd.read_csv(whole / "output.csv")["ans"].nunique() > 2
    joined = infer(shards, model, tmp_path / "joined")
    assert len(written) == 6 and contents(joined) == contents(whole)
    assert sorted(path.name for path in joined.iterdir()) == sorted(FILES)  # single host: the parts are removed
    infer(loose, model, tmp_path / "named", "--part_size", "3", "--output", "photos.csv")
    assert len(written) == 6 + 6  # three rows, rounded up to a batch
    assert contents(tmp_path / "named", "photos.") | contents(whole).keys() >= {"probabilities.csv"}
    assert (tmp_path / "named" / "photos.csv").read_bytes() == contents(whole)["output.csv"]


@pytest.mark.parametrize("most_open", [100, 2])
def test_rows_that_alternate_between_parts_keep_their_order_and_texts(
    model, loose, shards, tmp_path, written, monkeypatch, most_open
):
    """A table of shards in any order, with duplicates, pictures that are missing, quotes and line feeds."""
    monkeypatch.setattr("model.answers.joined_parts.MOST_OPEN", most_open)
    names = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    names = [*np.random.default_rng(1).permutation(names).tolist(), names[0], "gone.png", names[5]]
    notes = [f'"{number}"\n,{"x" * number}\r' if number % 3 else "" for number in range(len(names))]
    for channel in (loose, shards):
        pd.DataFrame({"note": notes, "ImageID": names}).to_csv(channel / "info.csv", index=False)
    whole = infer(loose, model, tmp_path / "whole")
    joined = infer(shards, model, tmp_path / "joined")
    assert len(written) == 7 and contents(joined) == contents(whole)  # the missing picture is in no shard
    read = pd.read_csv(joined / "output.csv", dtype=str, keep_default_na=False)
    assert read["ImageID"].tolist() == names and read["note"].tolist() == notes


def test_a_stopped_inference_takes_its_finished_parts_over(model, shards, tmp_path, written, monkeypatch, caplog):
    whole = infer(shards, model, tmp_path / "whole")
    written.clear()
    caplog.set_level(logging.INFO)
    with monkeypatch.context() as patched:
        stop_after(4, written, patched)
        with pytest.raises(Terminated):
            infer(shards, model, tmp_path / "output")
    assert f"4 of 6 parts are finished and kept in {tmp_path / 'output' / 'parts'}" in caplog.text
    assert not (tmp_path / "output" / "output.csv").exists()
    first = list(written)
    infer(shards, model, tmp_path / "output")
    assert sorted(written) == sorted(set(written)) and len(written) == 6 and written[:4] == first
    assert "4 of 6 parts were finished by an earlier run" in caplog.text
    assert contents(tmp_path / "output") == contents(whole) and not (tmp_path / "output" / "parts").exists()


@pytest.fixture
def stopped(model, shards, tmp_path, written, monkeypatch) -> Path:
    """The parts of an inference that was stopped before its last one; `written` is empty again."""
    with monkeypatch.context() as patched:
        stop_after(5, written, patched)
        with pytest.raises(Terminated):
            infer(shards, model, tmp_path / "stopped")
    written.clear()
    return tmp_path / "stopped" / "parts"


def test_parts_of_an_earlier_output_are_named_by_a_setting(stopped, model, shards, tmp_path, written):
    infer(shards, model, tmp_path / "again", "--resume_from", str(stopped))
    assert written == ["shard-00005.tar"] and len(list(stopped.glob("shard*"))) == 5
    with pytest.raises(InputError, match=r"resume_from: .*nowhere: there is no such folder"):
        infer(shards, model, tmp_path / "x", "--resume_from", str(tmp_path / "nowhere"))


def test_a_part_of_another_model_or_of_other_settings_is_answered_again(
    stopped, model, shards, tmp_path, written, caplog
):
    def resumed(*flags: str, model: Path = model) -> int:
        written.clear()
        caplog.clear()
        output = shutil.rmtree(tmp_path / "out", ignore_errors=True) or tmp_path / "out"
        infer(shards, model, output, "--resume_from", str(stopped), *flags)
        return len(written)

    assert resumed() == 1 and "not taken over" not in caplog.text
    assert resumed("--batch_size", "2", "--seed", "9") == 1  # they change no answer
    assert resumed("--num_tta", "2") == 6
    assert "5 earlier parts are of other settings (num_tta 1, now 2; tta_mode None, now soft)" in caplog.text
    assert resumed(model=toy_model(tmp_path / "other", 1)) == 6
    assert "5 earlier parts are of another model and not taken over" in caplog.text
    same = shutil.copytree(model, tmp_path / "renamed")
    assert resumed(model=same) == 1


def test_other_files_in_the_folder_of_the_parts_are_kept(model, shards, tmp_path, stopped):
    """The channel itself may be the folder `parts` beside the answers."""
    own = stopped.parent / "parts" / "photos" / "a.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    infer(shards, model, stopped.parent)
    assert [path.name for path in stopped.iterdir()] == ["photos"] and own.read_bytes() == b"mine"


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_part_that_another_process_replaces_while_it_is_copied_is_answered_again(
    stopped, model, shards, tmp_path, written, monkeypatch, change
):
    whole = infer(shards, model, tmp_path / "whole")
    written.clear()
    copy = parts_module.copy_part

    def raced(part: FinishedPart, folder: Path) -> FinishedPart | None:
        if part.folder.name == "shard-00001.tar":
            shutil.rmtree(part.folder)
            if change == "replaced":
                shutil.copytree(stopped / "shard-00002.tar", part.folder)
        return copy(part, folder)

    monkeypatch.setattr(parts_module, "copy_part", raced)
    again = infer(shards, model, tmp_path / "again", "--resume_from", str(stopped))
    assert written == ["shard-00001.tar", "shard-00005.tar"] and contents(again) == contents(whole)


def test_a_part_whose_pictures_or_files_have_changed_is_answered_again(
    stopped, model, loose, shards, tmp_path, written, caplog
):
    number = "shard-00001.tar"
    offset = read_info(shards).locations.offsets[5]
    with (shards / number).open("r+b") as file:  # a byte of a picture
        file.seek(offset)
        file.write(b"x")
    cut = stopped / "shard-00002.tar" / "probabilities.csv"
    cut.write_bytes(cut.read_bytes()[:-5])
    (stopped / "shard-00003.tar" / MANIFEST).write_text("{}")
    infer(shards, model, tmp_path / "again", "--resume_from", str(stopped))
    assert written == [number, "shard-00002.tar", "shard-00003.tar", "shard-00005.tar"]
    assert f"{stopped / 'shard-00002.tar'}: it is not whole and is answered again" in caplog.text


def test_random_views_are_those_of_the_row_in_the_whole_input(model, loose, tmp_path, monkeypatch):
    monkeypatch.setattr("model.images.tta.SMALLEST_ZOOM", 0.1)  # so that views differ much
    flags = ("--num_tta", "9", "--tta_mode", "vote")
    whole = infer(loose, model, tmp_path / "whole", *flags)
    assert contents(infer(loose, model, tmp_path / "parts", *flags, "--part_size", "8")) == contents(whole)


def test_parts_of_loose_pictures_need_the_size_that_they_had(model, loose, tmp_path, written, monkeypatch, caplog):
    with monkeypatch.context() as patched:
        stop_after(1, written, patched)
        with pytest.raises(Terminated):
            infer(loose, model, tmp_path / "stopped", "--part_size", "8")
    infer(loose, model, tmp_path / "stopped")
    assert f"{tmp_path / 'stopped' / 'parts'}: finished parts are not used; with part_size as it was" in caplog.text
    (tmp_path / "parts").mkdir()
    with pytest.raises(InputError, match=r"there is no shard in .*loose: set part_size to what it was"):
        infer(loose, model, tmp_path / "output", "--resume_from", str(tmp_path / "parts"))


# Several hosts


@pytest.fixture
def host_trees(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    """Makes the trees of a processing job's hosts, as SageMaker mounts them."""

    def make(channel: Path, hosts: int, sharded: bool, name: str = "ml", earlier: Path | None = None) -> list[Path]:
        files = sorted(path for path in channel.rglob("*") if path.is_file())
        trees = []
        for host in range(hosts):
            base = tmp_path / name / f"algo-{host + 1}"
            inputs = base / "processing" / "input"
            shutil.copytree(model, inputs / "model")
            (inputs / "eval").mkdir()
            for file in files[host::hosts] if sharded else files:
                path = inputs / "eval" / file.relative_to(channel)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, path)
            if earlier:
                shutil.copytree(earlier, inputs / "parts")
            kind = "ShardedByS3Key" if sharded else "FullyReplicated"
            source = {"LocalPath": str(inputs / "eval"), "S3DataDistributionType": kind}
            (base / "config").mkdir()
            config = {"ProcessingInputs": [{"InputName": "eval", "S3Input": source}]}
            (base / "config" / "processingjobconfig.json").write_text(json.dumps(config))
            resources = {"current_host": f"algo-{host + 1}", "hosts": [f"algo-{each + 1}" for each in range(hosts)]}
            (base / "config" / "resourceconfig.json").write_text(json.dumps(resources))
            trees.append(base)
        return trees

    return make


def run_host(base: Path, monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("SAGEMAKER_BASE_DIR", str(base))
        assert inference.main(["--num_workers", "0", "--batch_size", "4", *flags]) == 0


def uploaded(trees: Sequence[Path], name: str, target: Path) -> Path:
    """The output of that name of all hosts in one folder, as SageMaker uploads it."""
    for base in trees:
        if (base / "processing" / name).is_dir():
            shutil.copytree(base / "processing" / name, target, dirs_exist_ok=True)
    return target


def answers_of(folder: Path) -> list[tuple[str, ...]]:
    """The rows of all hosts' tables, sorted by picture."""
    tables = [
        pd.concat(
            pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(folder.rglob(name))
        ).sort_values("ImageID")
        for name in ("output.csv", "probabilities.csv", "predictions.csv")
    ]
    return [tuple(row) for table in tables for row in table.itertuples(index=False)]


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


def test_hosts_of_another_number_take_the_parts_over(host_trees, model, shards, tmp_path, written, monkeypatch):
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
    (shards / "zzz.txt").write_text("no picture")
    bases = host_trees(shards, 8, True)
    for base in bases[6:]:
        run_host(base, monkeypatch)
        assert "eval: no picture in it for this host" in caplog.text and not (base / "processing" / "output").exists()
        caplog.clear()


def test_shards_of_an_earlier_version_and_tables_are_refused_in_parts(host_trees, loose, shards, tmp_path, monkeypatch):
    names = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    old = pack_with_one_index(loose, tmp_path / "old", [names[:9], names[9:]])
    message = r"eval comes in parts to 2 hosts .*shards.csv has the index of all shards.*use FullyReplicated"
    with pytest.raises(InputError, match=message):
        run_host(host_trees(old, 2, True, "old-ml")[0], monkeypatch)
    (shards / "info.csv").write_text("ImageID,ans\n0/00.png,0\n")
    with pytest.raises(InputError, match=r"a table names pictures that other hosts have.*use FullyReplicated"):
        run_host(host_trees(shards, 2, True, "table-ml")[0], monkeypatch)


# Several processes


def test_each_process_answers_its_parts_and_the_first_joins_them(model, loose, tmp_path, written, monkeypatch, caplog):
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


def test_the_first_process_reports_what_the_others_took_over(
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


def test_processes_are_started_by_the_entry_point_alone(model, loose, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"processes = 2: .* python -m container.entrypoint inference"):
        infer(loose, model, tmp_path / "output", "--processes", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun itself sets it
    with pytest.raises(InputError, match=r"torchrun .* python -m container.entrypoint inference"):
        infer(loose, model, tmp_path / "output")
    assert not (tmp_path / "output").exists()
