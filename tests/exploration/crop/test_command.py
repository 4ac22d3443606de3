"""`python -m exploration crop`: a channel of crops that trains, resumes and is marked."""

from __future__ import annotations

import csv
import json
import logging
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import inference
from exploration.__main__ import main
from exploration.crop import cropping, detectors
from model.data.crops import warn_if_not_cropped


def write_boxes(file: Path, channel: Path, *, without: tuple[str, ...] = ()) -> list[str]:
    """A box for each image of a channel but some; returns all paths."""
    paths = sorted(path.relative_to(channel).as_posix() for path in channel.rglob("*.*") if path.suffix != ".csv")
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerows(
            [["path", "x", "y", "w", "h"], *([path, 10, 12, 10, 20] for path in paths if path not in without)]
        )
    return paths


def crop(channel: Path, output: Path, *flags: str) -> int:
    return main(["crop", str(channel), "--output", str(output), "--num_workers", "2", *flags])


@pytest.fixture(scope="module")
def boxes_csv(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Boxes of the channel train, and its paths; the first image has none."""
    file = tmp_path_factory.mktemp("boxes") / "in.csv"
    paths = write_boxes(file, faces / "train")
    write_boxes(file, faces / "train", without=(paths[0],))
    return file, paths


@pytest.fixture(scope="module")
def cropped(faces: Path, boxes_csv: tuple[Path, list[str]]) -> Path:
    """The cropped channels train and eval."""
    folder = boxes_csv[0].parent / "cropped"
    assert crop(faces / "train", folder / "train", "--boxes", str(boxes_csv[0])) == 0
    eval_boxes = boxes_csv[0].parent / "eval.csv"
    write_boxes(eval_boxes, faces / "eval")
    assert crop(faces / "eval", folder / "eval", "--boxes", str(eval_boxes)) == 0
    return folder


def test_the_layout_is_kept_and_each_image_is_cropped(faces: Path, cropped: Path, boxes_csv, capsys) -> None:
    paths = boxes_csv[1]
    found = {
        path.relative_to(cropped / "train").as_posix() for path in (cropped / "train").rglob("*") if path.is_file()
    }
    assert found == {*paths, "boxes.csv", "crop.json"}
    for path in paths[:20]:
        with Image.open(faces / "train" / path) as before, Image.open(cropped / "train" / path) as after:
            # box 10, 12, 10 x 20 with a margin of 0.2; the first has no box: 75 % of 36 x 48
            left, top, right, bottom = (8, 8, 22, 36) if path != paths[0] else (4, 6, 32, 42)
            expected = np.asarray(before.convert("RGB"), dtype=float)[top:bottom, left:right]
            assert after.format == before.format and after.size == (right - left, bottom - top)
            assert np.abs(np.asarray(after.convert("RGB"), dtype=float) - expected).mean() < 3
    info = (cropped / "eval" / "info.csv").read_bytes()
    assert info == (faces / "eval" / "info.csv").read_bytes()


def test_boxes_csv_and_the_marker_describe_the_crops(cropped: Path, boxes_csv) -> None:
    with (cropped / "train" / "boxes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (
        list(rows[0]) == ["path", "x", "y", "w", "h", "score", "found"]
        and [row["path"] for row in rows] == boxes_csv[1]
    )
    assert list(rows[0].values())[1:] == ["4.5", "6.0", "27.0", "36.0", "0.0000", "false"]
    assert {tuple(row.values())[1:] for row in rows[1:]} == {("10.0", "12.0", "10.0", "20.0", "1.0000", "true")}
    marker = json.loads((cropped / "train" / "crop.json").read_text())
    assert (marker["boxes"], marker["margin"], marker["finished"]) == ("in.csv", 0.2, True)
    assert (marker["images"], marker["found"]) == (168, 167)


def test_a_model_of_crops_says_so_and_inference_warns(
    faces: Path, cropped: Path, run_train, tmp_path: Path, caplog
) -> None:
    model = run_train(cropped / "train")
    data = json.loads((model / "metrics.json").read_text())["data"]
    assert data["crops"]["margin"] == 0.2 and data["source"].startswith("profile folders")
    assert "The images are crops (in.csv, margin 0.2)" in (model / "README.md").read_text()

    def warnings(channel: Path) -> str:
        caplog.clear()
        flags = ["--eval_dir", str(channel), "--model_dir", str(model), "--device", "cpu", "--num_workers", "0"]
        assert inference.main([*flags, "--output_data_dir", str(tmp_path / "answers")]) == 0
        return "\n".join(record.getMessage() for record in caplog.records if "crop" in record.getMessage())

    assert "the model was trained on cropped images (in.csv, margin 0.2)" in warnings(faces / "eval")
    assert "cropped with eval.csv, margin 0.2" in warnings(cropped / "eval")


def test_images_that_are_cropped_for_a_model_that_is_not_are_warned_about(
    cropped: Path, tmp_path: Path, caplog
) -> None:
    marker = json.loads((cropped / "train" / "crop.json").read_text())
    warn_if_not_cropped(cropped / "train" / "images", [{}])
    assert "the model was trained on images that are not" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        warn_if_not_cropped(cropped / "train", [{"crops": marker}])
        warn_if_not_cropped(tmp_path, [{}])
    assert caplog.text == ""


def test_an_interrupted_run_resumes(
    faces: Path, boxes_csv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    file, paths = boxes_csv
    crop_image, cropped = cropping.crop_image, []

    def interrupted(channel, output, path, *others):
        if path == paths[40]:
            raise KeyboardInterrupt
        return crop_image(channel, output, path, *others)

    monkeypatch.setattr(cropping, "crop_image", interrupted)
    assert crop(faces / "train", tmp_path / "out", "--boxes", str(file)) == 130
    assert not (tmp_path / "out" / "boxes.csv").exists()
    with (tmp_path / "out" / ".crops.jsonl").open("a") as log:
        log.write('{"row": {"path": "ima')  # killed while it wrote
    # other settings are refused
    assert crop(faces / "train", tmp_path / "out", "--boxes", str(file), "--margin", "0.5") == 2
    assert "interrupted run with other settings: margin" in capsys.readouterr().err
    (tmp_path / "in.csv").write_text(file.read_text() + f"{paths[0]},1,1,9,9\n")
    assert crop(faces / "train", tmp_path / "out", "--boxes", str(tmp_path / "in.csv")) == 2
    assert "interrupted run with other settings: the content of in.csv" in capsys.readouterr().err
    done = tmp_path / "out" / ".crops.jsonl"
    done.rename(tmp_path / "crops.jsonl")  # without it nothing is known about the images that are there
    assert crop(faces / "train", tmp_path / "out", "--boxes", str(file)) == 2
    assert "interrupted run with other settings: unknown" in capsys.readouterr().err
    (tmp_path / "crops.jsonl").rename(done)

    def counted(channel, output, path, *others):
        cropped.append(path)
        return crop_image(channel, output, path, *others)

    monkeypatch.setattr(cropping, "crop_image", counted)
    assert crop(faces / "train", tmp_path / "out", "--boxes", str(file)) == 0
    assert sorted(cropped) == paths[40:]
    assert len((tmp_path / "out" / "boxes.csv").read_text().splitlines()) == 1 + len(paths)
    assert not (tmp_path / "out" / ".crops.jsonl").exists()


def test_an_interrupted_run_is_not_resumed_with_another_detector(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "channel").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "channel" / "a.png")
    detector = tmp_path / "face.onnx"
    detector.write_bytes(b"one")
    nothing = SimpleNamespace(detect=lambda image: np.empty((0, 5), np.float32))
    monkeypatch.setattr(detectors, "load_detector", lambda *_: nothing)
    start = partial(crop, tmp_path / "channel", tmp_path / "out", "--detector", str(detector))
    with monkeypatch.context() as patched:
        patched.setattr(cropping, "crop_image", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert start() == 130
    assert start("--score", "0.5") == 2
    assert "interrupted run with other settings: score" in capsys.readouterr().err
    detector.write_bytes(b"two")
    assert start() == 2
    assert "interrupted run with other settings: the content of face.onnx" in capsys.readouterr().err
    detector.write_bytes(b"one")
    assert start() == 0


def test_unreadable_images_are_copied_and_listed(tmp_path: Path, capsys) -> None:
    for name in ("a", "b"):
        (tmp_path / "channel" / name).mkdir(parents=True)
        Image.new("L", (20, 10), 90).save(tmp_path / "channel" / name / "1.png")
    (tmp_path / "channel" / "a" / "2.jpg").write_bytes(b"not an image")
    (tmp_path / "boxes.csv").write_text("path,x,y,w,h\na/1.png,5,2,10,5\n")
    assert crop(tmp_path / "channel", tmp_path / "out", "--boxes", str(tmp_path / "boxes.csv"), "--margin", "0") == 0
    output = capsys.readouterr().out
    assert "3 images, 1 (33.3 %) with a box" in output and "no box, cropped to the centre: b/1.png" in output
    assert "a/2.jpg (cannot be identified as an image)" in output
    assert (tmp_path / "out" / "a" / "2.jpg").read_bytes() == b"not an image"
    with Image.open(tmp_path / "out" / "a" / "1.png") as image:
        assert (image.mode, image.size) == ("L", (10, 5))


def test_a_box_outside_the_image_is_no_box(tmp_path: Path, capsys) -> None:
    (tmp_path / "channel").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "channel" / "b.png")
    (tmp_path / "boxes.csv").write_text("path,x,y,w,h\nb.png,50,2,10,5\n")
    assert crop(tmp_path / "channel", tmp_path / "out", "--boxes", str(tmp_path / "boxes.csv")) == 0
    assert "no box, cropped to the centre: b.png" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "b.png") as image:
        assert image.size == (16, 8)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["{faces}/train", "--output", "{tmp}/out"], "set one of --detector FILE.onnx and --boxes FILE.csv"),
        (["--boxes", "x.csv"], "channel and output must be set"),
        (["{faces}/trian", "--output", "{tmp}/out", "--boxes", "{boxes}"], "no such folder; nearest: train"),
        (["{faces}/train", "--output", "{faces}/train/crops", "--boxes", "{boxes}"], "is in the channel"),
        (["{faces}/train", "--output", "{faces}/eval", "--boxes", "{boxes}"], "already exists"),
        (["{cropped}/train", "--output", "{tmp}/out", "--boxes", "{boxes}"], "is cropped already"),
        (["{faces}/train", "--output", "{cropped}/train", "--boxes", "{boxes}"], "is a finished cropped channel"),
        (["{faces}/train", "--output", "{tmp}/out", "--detector", "{boxes}"], "cannot be loaded by onnxruntime"),
    ],
)
def test_bad_input_is_reported(flags, message, faces, cropped, boxes_csv, tmp_path, capsys) -> None:
    known = {"faces": faces, "cropped": cropped, "tmp": tmp_path, "boxes": boxes_csv[0]}
    assert main(["crop", *(flag.format(**known) for flag in flags)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
