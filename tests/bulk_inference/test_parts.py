"""Parts of an inference are kept, reused and joined.

A kill is an exception between two parts here; tests/long/test_bulk_inference.py kills processes.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from container.job_script import Terminated
from model.answers.files import MANIFEST
from model.answers.parts import FinishedPart
from model.data.prediction_input import read_info
from model.errors import InputError
from model.prediction import parts as parts_module
from tests.bulk_inference.conftest import FILES, contents, infer, stop_after
from tests.test_without_torch import toy_model


def test_parts_give_the_predictions_of_one_inference(model, loose, shards, tmp_path, written):
    whole = infer(loose, model, tmp_path / "whole")
    assert not written and "errors.csv" in contents(whole)
    assert pd.read_csv(whole / "output.csv")["ans"].nunique() > 2
    joined = infer(shards, model, tmp_path / "joined")
    assert len(written) == 6 and contents(joined) == contents(whole)
    assert sorted(path.name for path in joined.iterdir()) == sorted(FILES)  # with one host the parts are removed
    infer(loose, model, tmp_path / "named", "--part_size", "3", "--output", "photos.csv")
    assert len(written) == 6 + 6  # three rows, rounded up to a batch
    assert contents(tmp_path / "named", "photos.") | contents(whole).keys() >= {"probabilities.csv"}
    assert (tmp_path / "named" / "photos.csv").read_bytes() == contents(whole)["output.csv"]


@pytest.mark.parametrize("most_open", [100, 2])
def test_rows_that_alternate_between_parts_keep_their_order_and_values(
    model, loose, shards, tmp_path, written, monkeypatch, most_open
):
    """A table of shards in any order, with duplicates, missing images, quotes and line feeds."""
    monkeypatch.setattr("model.answers.joined_parts.MOST_OPEN", most_open)
    names = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.png"))
    names = [*np.random.default_rng(1).permutation(names).tolist(), names[0], "gone.png", names[5]]
    notes = [f'"{number}"\n,{"x" * number}\r' if number % 3 else "" for number in range(len(names))]
    for channel in (loose, shards):
        pd.DataFrame({"note": notes, "ImageID": names}).to_csv(channel / "info.csv", index=False)
    whole = infer(loose, model, tmp_path / "whole")
    joined = infer(shards, model, tmp_path / "joined")
    assert len(written) == 7 and contents(joined) == contents(whole)  # the missing image is in no shard
    read = pd.read_csv(joined / "output.csv", dtype=str, keep_default_na=False)
    assert read["ImageID"].tolist() == names and read["note"].tolist() == notes


def test_a_stopped_inference_reuses_its_finished_parts(model, shards, tmp_path, written, monkeypatch, caplog):
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


def test_a_setting_names_the_parts_of_an_earlier_run(stopped, model, shards, tmp_path, written):
    infer(shards, model, tmp_path / "again", "--resume_from", str(stopped))
    assert written == ["shard-00005.tar"] and len(list(stopped.glob("shard*"))) == 5
    with pytest.raises(InputError, match=r"resume_from: .*nowhere: there is no such folder"):
        infer(shards, model, tmp_path / "x", "--resume_from", str(tmp_path / "nowhere"))


def test_a_part_of_another_model_or_other_settings_is_predicted_again(
    stopped, model, shards, tmp_path, written, caplog
):
    def resumed(*flags: str, model: Path = model) -> int:
        written.clear()
        caplog.clear()
        output = shutil.rmtree(tmp_path / "out", ignore_errors=True) or tmp_path / "out"
        infer(shards, model, output, "--resume_from", str(stopped), *flags)
        return len(written)

    assert resumed() == 1 and "not reused" not in caplog.text
    assert resumed("--batch_size", "2", "--seed", "9") == 1  # they change no answer
    assert resumed("--num_tta", "2") == 6
    assert (
        "5 earlier parts were written with different settings (num_tta 1, now 2; tta_mode None, now soft)"
        in caplog.text
    )
    assert resumed(model=toy_model(tmp_path / "other", 1)) == 6
    assert "5 earlier parts were written with another model and are not reused" in caplog.text
    same = shutil.copytree(model, tmp_path / "renamed")
    assert resumed(model=same) == 1


def test_other_files_in_the_folder_of_the_parts_are_kept(model, shards, tmp_path, stopped):
    """The channel itself may be the folder `parts` next to the output."""
    own = stopped.parent / "parts" / "photos" / "a.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    infer(shards, model, stopped.parent)
    assert [path.name for path in stopped.iterdir()] == ["photos"] and own.read_bytes() == b"mine"


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_part_that_is_replaced_while_it_is_copied_is_predicted_again(
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


def test_a_part_whose_images_or_files_have_changed_is_predicted_again(
    stopped, model, loose, shards, tmp_path, written, caplog
):
    number = "shard-00001.tar"
    offset = read_info(shards).locations.offsets[5]
    with (shards / number).open("r+b") as file:  # a byte of an image
        file.seek(offset)
        file.write(b"x")
    cut = stopped / "shard-00002.tar" / "probabilities.csv"
    cut.write_bytes(cut.read_bytes()[:-5])
    (stopped / "shard-00003.tar" / MANIFEST).write_text("{}")
    infer(shards, model, tmp_path / "again", "--resume_from", str(stopped))
    assert written == [number, "shard-00002.tar", "shard-00003.tar", "shard-00005.tar"]
    assert f"{stopped / 'shard-00002.tar'}: incomplete, so its images are predicted again" in caplog.text


def test_random_views_depend_on_the_row_in_the_whole_input(model, loose, tmp_path, monkeypatch):
    monkeypatch.setattr("model.images.tta.SMALLEST_ZOOM", 0.1)  # so that views differ much
    flags = ("--num_tta", "9", "--tta_mode", "vote")
    whole = infer(loose, model, tmp_path / "whole", *flags)
    assert contents(infer(loose, model, tmp_path / "parts", *flags, "--part_size", "8")) == contents(whole)


def test_parts_of_single_files_are_reused_only_with_the_same_part_size(
    model, loose, tmp_path, written, monkeypatch, caplog
):
    with monkeypatch.context() as patched:
        stop_after(1, written, patched)
        with pytest.raises(Terminated):
            infer(loose, model, tmp_path / "stopped", "--part_size", "8")
    infer(loose, model, tmp_path / "stopped")
    assert (
        f"{tmp_path / 'stopped' / 'parts'}: the finished parts of an earlier run are not used; to reuse them"
        in caplog.text
    )
    (tmp_path / "parts").mkdir()
    with pytest.raises(InputError, match=r"resume_from: .*loose contains no shards, so part_size must be set"):
        infer(loose, model, tmp_path / "output", "--resume_from", str(tmp_path / "parts"))
