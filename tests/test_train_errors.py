"""Errors of train.py before and during training."""

from __future__ import annotations

import json
import re
import shutil

import pytest

import train
from model.errors import Failure, InputError


def test_a_wrong_setting_or_attribute_is_an_error_before_the_images_are_decoded(faces, tmp_path, monkeypatch):
    def decode(*_: object, **__: object) -> None:
        raise AssertionError("images were decoded")

    monkeypatch.setattr("model.data.checked_tables.check_images", decode)
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(tmp_path), "--model", "test_resnet"]
    for flags, message in (
        (["--weights", "no/such.pth"], "there is no such file"),
        (["--optimizer", "adamx"], "nearest: adamax"),
        (["--target", "heads", "--heads", '{"agee": {"loss_weight": 2}}'], "no attribute 'agee'; nearest: age"),
        (
            ["--target", "separate", "--separate", '{"agee": {}}'],
            "separate: 'agee' is not an attribute, expected mask, gender, age; nearest: age",
        ),
        (["--target", "separate", "--separate", '{"age": {"optimizer": "adamx"}}'], "separate: age: optimizer 'adamx'"),
        (["--target", "agee"], "'agee' is not an attribute; expected one of mask, gender, age; nearest: age"),
    ):
        with pytest.raises(InputError, match=message):
            train.main([*where, *flags])
    with pytest.raises(AssertionError, match="were decoded"):
        train.main(where)
    assert not (tmp_path / "exp").exists()


def test_a_loss_that_is_not_finite_is_an_error_with_the_step_and_what_to_try(faces, run_train):
    with pytest.raises(Failure) as error:
        run_train(faces / "train", "--lr", "1e30", "--warmup_epochs", "0", "--epochs", "5", "--optimizer", "sgd")
    assert re.search(r"not finite at epoch \d+, step \d+, learning rate .*--lr.*--clip_grad", str(error.value))


def test_an_image_that_was_deleted_after_the_check_ends_the_run(faces, run_train, tmp_path):
    copied = tmp_path / "train"
    shutil.copytree(faces / "train", copied)
    broken = next(copied.rglob("mask1.*"))
    broken.write_bytes(broken.read_bytes()[:-200])
    with pytest.raises(Failure, match=rf"{broken.name}.*--check decode"):
        run_train(copied, "--check", "headers", "--validation", "0", "--sampler", "none")


def test_problems_of_both_channels_are_reported_together(faces, run_train, tmp_path):
    for side in ("train", "validation"):
        folder = tmp_path / side / "images" / "000001_female_Asian_30"
        folder.mkdir(parents=True)
        (folder / "normal.jpg").write_bytes(b"")
    with pytest.raises(InputError) as error:
        run_train(tmp_path / "train", "--validation_dir", str(tmp_path / "validation"))
    text = str(error.value)
    assert "channel train" in text and "channel validation" in text


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ({"agee": {"loss_weight": 5}}, "no attribute 'agee'; nearest: age"),
        ({"age": {"loss_weight": "two"}}, "heads: age: loss_weight = 'two': expected a number"),
        ({"age": {"loss_weight": -2}}, "heads: age: loss_weight = -2: expected at least 0"),
        ({"age": {"los": "focal"}}, "heads: age: los: there is no such setting; nearest: loss"),
        ({"age": 3}, "heads: age: expected a mapping"),
    ],
)
def test_invalid_heads_are_an_error(faces, run_train, heads, message):
    with pytest.raises(InputError, match=message):
        run_train(faces / "train", "--target", "heads", "--heads", json.dumps(heads))


def test_an_augmentation_whose_images_no_network_can_take_is_an_error(faces, run_train):
    with pytest.raises(InputError, match="the augmented image cannot be an input of the network"):
        run_train(faces / "train", "--augmentation", '{"RandomCrop": {"size": 16}}')


def test_a_missing_label_column_is_reported_with_all_other_problems(tmp_path, run_train):
    (tmp_path / "train.csv").write_text("image_name,lable\np0.jpg,1\np1.jpg,2\n")
    (tmp_path / "p0.jpg").write_text("no image")
    with pytest.raises(InputError) as error:
        run_train(tmp_path)
    assert "nearest: label" in str(error.value) and "p0.jpg" in str(error.value) and "p1.jpg" in str(error.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "resnet18.foo"], r"has resnet18\..*nearest: resnet18"),
        (
            ["--model", "resnet18", "--batch_size", "1"],
            "batch norm needs more than one value per channel, which a batch of 1 at this input_size",
        ),
        (["--augmentation", '{"mixup": {"p": 3}}'], "mixup: p = 3; expected at most 1"),
    ],
)
def test_settings_that_cannot_be_trained_are_an_error(faces, run_train, flags, message):
    with pytest.raises(InputError, match=message):
        run_train(faces / "train", *flags)
