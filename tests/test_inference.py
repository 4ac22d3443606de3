"""inference.py and inference_TTA.py in this process on drawn images and a model trained for a moment."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import inference
import inference_TTA
from model.artifacts.discovery import newest_model
from model.artifacts.saved_model import load_model
from model.data.readers import shards
from model.data.readers.image_names import is_image
from model.data.readers.shards import read_inner_index, write_shards
from model.errors import Failure, InputError
from model.prediction.api import predict


@pytest.fixture
def infer(faces, models, tmp_path):
    """Runs a job. Returns output.csv as text, the probabilities and the output folder."""

    def run(
        *flags: str,
        channel: Path | None = None,
        model: str = "joint",
        main=inference.main,
        expect: int = 0,
        name: str = "output",
    ):
        output = tmp_path / "output"
        where = ["--eval_dir", str(channel or faces / "eval"), "--model_dir", str(models / model)]
        machine = ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
        assert main([*where, *machine, "--output_data_dir", str(output), *flags]) == expect
        probabilities = "probabilities.csv" if name == "output" else f"{name}.probabilities.csv"
        answers = pd.read_csv(output / f"{name}.csv", dtype=str, keep_default_na=False)
        return answers, pd.read_csv(output / probabilities), output

    return run


def channel_of(tmp_path: Path, faces: Path, rows: list[str], header: str = "ImageID,ans") -> Path:
    """An eval channel with these rows of info.csv and images a.png, b.png and c.png."""
    folder = tmp_path / "channel"
    (folder / "images").mkdir(parents=True)
    for name, source in zip("abc", sorted((faces / "eval" / "images").iterdir())):
        Image.open(source).save(folder / "images" / f"{name}.png")
    (folder / "info.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def test_rows_columns_and_order_are_those_of_info(faces, infer, caplog):
    caplog.set_level("INFO")
    answers, probabilities, output = infer()
    assert caplog.messages[-1].endswith(f"evaluation.py --ground_truth_dir {faces / 'gt'} --output_data_dir {output}")
    info = pd.read_csv(faces / "eval" / "info.csv", dtype=str)
    assert answers.columns.tolist() == ["ImageID", "ans"]
    assert answers["ImageID"].tolist() == probabilities["ImageID"].tolist() == info["ImageID"].tolist()
    files = {"output.csv", "probabilities.csv", "predictions.csv", "labels.json"}
    assert {path.name for path in output.iterdir()} == files
    assert probabilities.columns[1:].tolist() == json.loads((output / "labels.json").read_text())["classes"]
    each = probabilities.iloc[:, 1:].to_numpy()
    assert np.allclose(each.sum(1), 1, atol=1e-5)
    assert answers["ans"].astype(int).tolist() == each.argmax(1).tolist()


def test_labels_json_contains_the_provenance_of_the_model(infer, models):
    _, _, output = infer("--num_tta", "2")
    provenance = json.loads((output / "labels.json").read_text())["made"]
    metrics = json.loads((models / "joint" / "metrics.json").read_text())
    assert (provenance["model"], provenance["views"], provenance["joined"]) == ("joint", 2, "")
    (member,) = provenance["members"]
    assert (member["backbone"], member["epochs"], member["versions"]) == ("test_resnet", 1, metrics["versions"])
    assert member["scores"]["f1"] == metrics["validation"]["f1"]
    assert member["train"] == {key: metrics["data"]["train"][key] for key in ("pictures", "groups")}
    assert member["settings"]["input_size"] == [32, 24] and "train_dir" not in member["settings"]


def test_the_next_command_is_the_last_line_and_reads_labels_from_the_predicted_folder(faces, infer, tmp_path, caplog):
    """Also after the warning about unreadable images."""
    channel = channel_of(tmp_path, faces, ["a.png,0,male,30", "gone.png,0,female,61"], "ImageID,mask,gender,age")
    with caplog.at_level(logging.INFO, "rarebird"):
        _, _, output = infer(channel=channel)
    warning, command = caplog.messages[-2:]
    assert warning.startswith("1 of 2 images are unreadable") and command.startswith("next: python ")
    flags = ["--ground_truth_dir", str(channel), "--output_data_dir", str(output), "--pictures", str(channel)]
    assert shlex.split(command)[-6:] == flags


def test_every_row_is_kept_and_an_unreadable_image_has_a_reason(faces, infer, tmp_path):
    rows = ["c.png,1,x", "gone.png,2,y", "a.png,0,z", "bad.png,0,", "c.png,0,w", "../out.png,0,v", ",0,u"]
    channel = channel_of(tmp_path, faces, rows, "ImageID,ans,note")
    (channel / "images" / "bad.png").write_text("no image")
    answers, probabilities, output = infer(channel=channel)
    assert answers["ImageID"].tolist() == ["c.png", "gone.png", "a.png", "bad.png", "c.png", "../out.png", ""]
    assert answers["note"].tolist() == ["x", "y", "z", "", "w", "v", "u"]
    assert [bool(answer) for answer in answers["ans"]] == [True, False, True, False, True, False, False]
    assert answers["ans"][0] == answers["ans"][4]
    assert probabilities.iloc[1, 1:].isna().all() and probabilities.iloc[2, 1:].notna().all()
    errors = pd.read_csv(output / "errors.csv", dtype=str, keep_default_na=False)
    assert errors["ImageID"].tolist() == ["gone.png", "bad.png", "../out.png", ""]
    assert "no such file" in errors["error"][0] and "outside the channel" in errors["error"][2]
    with pytest.raises(Failure, match=r"^4 of 7 images are unreadable .*errors\.csv for the reasons$"):
        infer("--strict", channel=channel)


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("ImageID,ans,,", "a.png,0,,", ["a.png", "ANS", "", ""]),
        ("note,ImageID,Ans", "x,a.png,0", ["x", "a.png", "ANS"]),
        ("IMAGE_NAME,note", "a.png,x", ["a.png", "ANS"]),
    ],
)
def test_columns_keep_their_order_under_any_name(faces, infer, tmp_path, header, row, expected):
    _, _, output = infer(channel=channel_of(tmp_path, faces, [row], header))
    header, row = (line.split(",") for line in (output / "output.csv").read_text().splitlines())
    assert len(header) == len(row) == len(expected)
    index = expected.index("ANS")
    assert row[index].isdecimal() and row[:index] == expected[:index]
    assert row[index + 1 :] == expected[index + 1 :]


def test_columns_of_one_name_are_reported(faces, infer, tmp_path):
    with pytest.raises(InputError, match="duplicate columns: 'ImageID', 'note'"):
        infer(channel=channel_of(tmp_path, faces, ["a.png,a.png,x,y"], "ImageID,ImageID,note,note"))


def test_outputs_in_one_folder_have_separate_errors_and_labels(faces, infer, tmp_path):
    faulty = channel_of(tmp_path, faces, ["gone.png,0", "a.png,0"])
    _, _, output = infer("--output", "a.csv", channel=faulty, name="a")
    infer("--output", "b.csv", model="heads", name="b")
    assert (output / "a.errors.csv").exists() and not (output / "b.errors.csv").exists()
    assert (output / "a.labels.json").exists() and (output / "b.labels.json").exists()


def test_a_name_that_no_table_can_contain_is_reported(faces, infer, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    source = next((faces / "eval" / "images").iterdir())
    shutil.copy(source, os.fsencode(folder) + b"/\xb1\xe8.jpg")
    with pytest.raises(InputError, match="its name is not UTF-8"):
        infer(channel=folder)


def test_errors_of_an_earlier_run_are_removed(faces, infer, tmp_path):
    channel = channel_of(tmp_path, faces, ["gone.png,0", "a.png,0"])
    _, _, output = infer(channel=channel)
    assert (output / "errors.csv").exists()
    infer()
    assert not (output / "errors.csv").exists()


def test_image_name_is_answered_in_the_format_of_the_tagging_challenge(faces, infer, tmp_path):
    answers, probabilities, _ = infer(channel=channel_of(tmp_path, faces, ["b.png,x"], "image_name,category_1"))
    assert answers.columns.tolist() == ["image_name", "y_pred"]
    assert probabilities.columns[0] == "image_name"


def test_a_folder_without_info_csv_is_predicted(faces, infer, tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for place, source in zip(("b.jpg", "deep/a.jpg"), sorted((faces / "eval" / "images").iterdir())):
        shutil.copy(source, folder / place)
    answers, _, _ = infer(channel=folder)
    assert answers["ImageID"].tolist() == ["b.jpg", "deep/a.jpg"]


@pytest.mark.parametrize(
    ("given", "answers", "probabilities"),
    [
        ("a.csv", "output/a.csv", "output/a.probabilities.csv"),
        ("else/b.csv", "else/b.csv", "else/b.probabilities.csv"),
    ],
)
def test_the_output_file_can_be_named(faces, models, tmp_path, monkeypatch, given, answers, probabilities):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", "output")
    flags = ["--eval_dir", str(faces / "eval"), "--model_dir", str(models / "joint"), "--output", given]
    assert inference.main([*flags, "--num_workers", "0"]) == 0
    assert (tmp_path / answers).is_file() and (tmp_path / probabilities).is_file()
    assert (tmp_path / answers).parent.joinpath("labels.json").is_file()
    assert not (tmp_path / "output" / "output.csv").exists()


@pytest.mark.parametrize("model", ["joint", "heads"])
def test_tta_is_the_mean_of_the_views_of_each_image(infer, faces, models, model):
    """Reference: each view is cut from the decoded image and predicted without TTA."""
    saved = load_model(models / model)
    from model.decisions import Decision
    from model.images.decode import read_source
    from model.images.inputs import Inputs
    from model.images.tta import FIXED, Views
    from model.prediction.predictor import Predictor
    from model.prediction.torch_backend import TorchBackend

    _, found, _ = infer("--num_tta", "4", model=model)
    views, preprocessing = Views(saved.pipeline, 4), saved.pipeline.preprocessing
    alone = Predictor(TorchBackend.load(saved, "cpu", "fp32"), Views(saved.pipeline), Decision())
    for row in (0, 5):
        picture = read_source(faces / "eval" / "images" / found["ImageID"][row], draft=views.draft)
        each = []
        for view in FIXED[:4]:
            box = preprocessing.box(*picture.size, view.zoom, view.right, view.down)
            seen = preprocessing.fit_image(picture, box)
            seen = seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view.flip else seen
            each.append(alone(Inputs.stack([saved.pipeline.inputs([preprocessing.to_pixels(seen)])]))[0])
        assert np.mean(each, axis=0) == pytest.approx(found.iloc[row, 1:].to_numpy(float), abs=1e-5)


def test_inference_tta_has_four_views_by_default(infer):
    _, by_flag, _ = infer("--num_tta", "4")
    _, by_script, _ = infer(main=inference_TTA.main)
    _, plain, _ = infer()
    assert by_flag.equals(by_script) and not by_flag.equals(plain)


def test_voting_counts_views(infer):
    _, found, _ = infer("--num_tta", "5", "--tta_mode", "vote")
    shares = found.iloc[:, 1:].to_numpy() * 5
    assert np.allclose(shares, shares.round(), atol=1e-4)
    _, again, _ = infer("--num_tta", "5", "--tta_mode", "vote")
    assert found.equals(again)


def test_batches_workers_and_memory_layout_change_nothing(infer):
    _, one, _ = infer("--batch_size", "1")
    _, many, _ = infer("--batch_size", "64", "--num_workers", "2")
    assert np.allclose(one.iloc[:, 1:], many.iloc[:, 1:], atol=1e-5)


def test_half_precision_gives_nearly_the_same_probabilities(infer):
    _, full, _ = infer()
    _, half, _ = infer("--precision", "bf16")
    assert np.abs(full.iloc[:, 1:].to_numpy() - half.iloc[:, 1:].to_numpy()).max() < 0.03


def test_the_index_of_a_shard_is_read_once(faces, infer, tmp_path, monkeypatch):
    channel = channel_of(tmp_path, faces, ["a.png,0", "b.png,0"])
    names = ["images/a.png", "images/b.png", "images/c.png", "info.csv"]
    write_shards(channel, tmp_path / "shards", names, is_image, 10**6)
    opened = []
    monkeypatch.setattr(shards, "read_inner_index", lambda path: opened.append(path.name) or read_inner_index(path))
    answers, _, _ = infer(channel=tmp_path / "shards")
    assert answers["ans"].str.isdecimal().all() and opened == ["shard-00000.tar"]


def test_predict_from_python_takes_paths_bytes_and_images(faces, models, infer):
    _, expected, _ = infer()
    paths = [faces / "eval" / "images" / name for name in expected["ImageID"][:3]]
    given = [str(paths[0]), paths[1].read_bytes(), Image.open(paths[2]), b"no image"]
    found = predict(models / "joint", given, device="cpu", precision="fp32")
    assert found.columns[:7].tolist() == ["picture", "class", "name", "mask", "gender", "age", "error"]
    names = expected.columns[1:].tolist()
    # a PIL image is decoded whole, the others by the decoder's own down-scaling
    assert np.allclose(found.loc[:1, names], expected.loc[:1, names], atol=1e-5)
    assert found["class"][:2].tolist() == expected.loc[:1, names].to_numpy().argmax(1).tolist()
    assert found["name"][0] == names[found["class"][0]]
    assert pd.isna(found["class"][3]) and found["error"][3] and found["name"][3] == ""
    assert found["picture"][0] == str(paths[0]) and found["picture"][1] == "1"


def test_the_newest_finished_run_is_used_if_no_model_is_named(faces, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="SM_CHANNEL_MODEL or --model_dir"):
        inference.main(["--eval_dir", str(faces / "eval")])
    shutil.copytree(models / "joint", tmp_path / "runs" / "old")
    shutil.copytree(models / "heads", tmp_path / "runs" / "new")
    shutil.copytree(models / "heads", tmp_path / "runs" / "stopped")
    metrics = tmp_path / "runs" / "stopped" / "metrics.json"
    metrics.write_text(metrics.read_text().replace('"finished": true', '"finished": false'))
    (tmp_path / "runs" / "new" / "metrics.json").touch()
    assert newest_model(tmp_path / "runs").name == "new"
    assert inference.main(["--eval_dir", str(faces / "eval"), "--num_workers", "0"]) == 0
    assert (tmp_path / "output" / "output.csv").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--eval_dir", "nowhere"], "nowhere"),
        (["--num_tta", "17"], "16 fixed views"),
        (["--device", "gpu"], "expected auto, cpu, cuda or cuda:N"),
        (["--device", "cuda:7"], r"has \d GPUs?"),
        (["--precision", "fp16", "--device", "cpu"], "fp16 needs a GPU"),
        (["--picture_column", "ImageId2"], "ImageID"),
        (["--table", "inf.csv"], "nearest: info.csv"),
    ],
)
def test_wrong_flags_are_reported(faces, models, flags, message):
    where = ["--eval_dir", str(faces / "eval"), "--model_dir", str(models / "joint")]
    with pytest.raises(InputError, match=message):
        inference.main([*where, *flags])


def test_files_of_a_killed_inference_are_removed_by_the_next(faces, infer, tmp_path):
    (tmp_path / "output").mkdir()
    for name in (".output.csv.7.part", ".probabilities.csv.7.part", ".predictions.csv.7.part", ".other.csv.7.part"):
        (tmp_path / "output" / name).touch()
    _, _, output = infer()
    assert [path.name for path in output.glob(".*")] == [".other.csv.7.part"]


def test_a_table_without_an_existing_image_is_an_error_with_the_nearest_name(faces, infer, tmp_path):
    channel = channel_of(tmp_path, faces, ["A.PNG,0", "gone.png,0"])
    with pytest.raises(InputError, match=r"2 rows, such as info\.csv row 2: images/A\.PNG; nearest: images/a\.png"):
        infer(channel=channel)
    assert not (tmp_path / "output").exists()


def test_names_in_another_spelling_are_found_and_output_csv_keeps_them(faces, infer, tmp_path):
    answers, _, output = infer(channel=channel_of(tmp_path, faces, [r".\images\c.png,0", "a,0", "b.PNG,0"]))
    assert answers["ImageID"].tolist() == [r".\images\c.png", "a", "b.PNG"] and (answers["ans"] != "").all()
    assert not (output / "errors.csv").exists()


def test_output_in_the_folder_of_the_images_is_not_read_as_a_table(faces, infer, tmp_path):
    channel = channel_of(tmp_path, faces, [])
    (channel / "info.csv").rename(channel / "notes.csv")
    (channel / "notes.csv").write_text("who,when\nme,today\n")
    (tmp_path / "output").symlink_to(channel)
    for name in ("output", "mine") * 2:
        answers, _, _ = infer("--output", f"{name}.csv", channel=channel, name=name)
        assert answers["ImageID"].tolist() == ["images/a.png", "images/b.png", "images/c.png"]
    assert (channel / "mine.probabilities.csv").exists() and (channel / "output.csv").exists()


def test_the_column_of_images_in_training_is_used_if_the_table_has_it(faces, models, infer, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(models / "joint", model)
    saved = (model / "settings.yaml").read_text()
    assert "picture_column: null" in saved
    (model / "settings.yaml").write_text(saved.replace("picture_column: null", "picture_column: file"))
    channel = channel_of(tmp_path, faces, ["gone.png,a.png", "c.png,b.png"], "path,File")
    answers, probabilities, output = infer(channel=channel, model=str(model))
    assert answers["File"].tolist() == ["a.png", "b.png"] and probabilities.columns[0] == "File"
    assert json.loads((output / "labels.json").read_text())["picture_column"] == "File"
    answers, probabilities, _ = infer("--picture_column", "path", channel=channel, model=str(model))
    assert probabilities.columns[0] == "path"
    (channel / "info.csv").write_text("ImageID\na.png\n")
    assert infer(channel=channel, model=str(model))[0].columns.tolist() == ["ImageID", "ans"]


def test_gpus_that_are_shown_and_not_used_end_a_job_in_a_container(infer, tmp_path, monkeypatch):
    """docs/containers.md, GPUs and drivers: inference on the CPU of a paid GPU instance is a failure."""
    driver = tmp_path / "driver" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text('#!/bin/sh\necho "GPU 0: Tesla T4 (UUID: GPU-0)"\n')
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{driver.parent}:/usr/bin:/bin")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", lambda: (_ for _ in ()).throw(RuntimeError("driver too old")))
    (tmp_path / "ml" / "input").mkdir(parents=True)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    with pytest.raises(
        Failure, match=r"the driver shows 1 GPU, but none can be used: .* driver too old\. .*--device cpu"
    ):
        infer("--device", "auto")
    assert not (tmp_path / "output").exists()
    infer()  # --device cpu
