"""Networks that read metadata: training, inference, test-time augmentation, ensembles, parts, single files, Python,
the server. The drawn images are noise; only the metadata has something of the class."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file
from starlette.testclient import TestClient

import inference
import inference_TTA
import train
from container.serve.app import Server
from exploration.heat_maps import HeatMaps
from jobs.__main__ import SUBCOMMANDS
from model.artifacts.saved_model import load_model
from model.data.checked_tables import read_tables
from model.embeddings.extractor import make_networks
from model.errors import InputError
from model.images.inputs import Inputs
from model.prediction import predict
from model.runtime.signals import StopSignal
from model.settings.embedder import EmbedderSettings
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings
from model.subcommands import run_subcommand
from model.training.fit import fit
from model.training.held_out import answer_validation
from model.training.plan import make_plan
from tests.container.http.server_process import until

SHOPS, KINDS = ("north", "south"), ("a", "b", "c")
COLUMNS = ["kind", "shop", "price"]
SMALL = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "16"]
SMALL += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--report", "false", "--tracking", "none"]
FUSED = ["--fusion", "concat", "--metadata_columns", ",".join(COLUMNS), "--metadata_dropout", "0.1"]
MACHINE = ["--device", "cpu", "--precision", "fp32", "--num_workers", "0"]


def draw_channel(folder: Path, number: int, seed: int, labels: bool) -> Path:
    """A channel of noise: label = kind, but for one image in ten; every tenth shop is empty."""
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    kinds = generator.integers(3, size=number)
    classes = np.where(generator.random(number) < 0.1, generator.integers(3, size=number), kinds)
    for row in range(number):
        pixels = generator.integers(256, size=(32, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{row:03d}.png")
    table = pd.DataFrame({"image_name": [f"{row:03d}.png" for row in range(number)]})
    table["kind"] = np.array(KINDS)[kinds]
    table["shop"] = np.where(np.arange(number) % 10 == 0, "", np.array(SHOPS)[generator.integers(2, size=number)])
    table["price"] = generator.lognormal(size=number).round(2)
    if labels:
        table["label"] = np.array(["x", "y", "z"])[classes]
    table.to_csv(folder / ("train.csv" if labels else "info.csv"), index=False)
    return folder


@pytest.fixture(scope="module")
def channels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fusion")
    draw_channel(folder / "train", 120, 0, labels=True)
    draw_channel(folder / "eval", 24, 1, labels=False)
    return folder


@pytest.fixture(scope="module")
def models(channels, tmp_path_factory) -> Path:
    """`fused`, `only` (metadata) and `plain`, trained for a moment."""
    folder = tmp_path_factory.mktemp("models")
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(folder)]
    flags = {
        "fused": [*FUSED, "--epochs", "4", "--lr", "0.02"],
        "only": ["--fusion", "metadata", *FUSED[2:], "--epochs", "4", "--lr", "0.05"],
        "plain": ["--epochs", "1"],
    }
    for name, own in flags.items():
        assert train.main([*SMALL, *where, "--name", name, *own]) == 0
    return folder


def answers(model: Path, channel: Path, output: Path, *flags: str, job=inference) -> np.ndarray:
    """The probabilities of inference, float64 (images, classes)."""
    where = ["--eval_dir", str(channel), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert job.main([*where, *MACHINE, *flags]) == 0
    return pd.read_csv(output / "probabilities.csv").iloc[:, 1:].to_numpy()


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    return frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy(np.float64)


@pytest.fixture(scope="module")
def images(channels) -> list[Path]:
    return sorted((channels / "eval" / "images").iterdir())


@pytest.fixture(scope="module")
def table(channels) -> pd.DataFrame:
    return pd.read_csv(channels / "eval" / "info.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def expected(models, images, table) -> np.ndarray:
    """Probabilities of the fused model from Python."""
    return probabilities(predict(models / "fused", images, metadata=table, device="cpu", precision="fp32"))


def test_metadata_is_learned_and_saved_with_the_model(models, table, expected):
    vocabulary = load_model(models / "fused").pipeline.vocabulary
    assert vocabulary.names == tuple(COLUMNS)
    assert [column.values for column in vocabulary.columns] == [KINDS, ("", *SHOPS), ()]
    assert len(vocabulary.columns[2].edges) == 9
    saved = json.loads((models / "fused" / "preprocessing.json").read_text())
    assert [column["name"] for column in saved["metadata"]] == COLUMNS
    assert "metadata" not in json.loads((models / "plain" / "preprocessing.json").read_text())
    # the metadata says the class of nine images in ten
    kinds = table["kind"].map({kind: code for code, kind in enumerate(KINDS)})
    assert (expected.argmax(1) == kinds).mean() > 0.8
    for name, sentence in (("fused", "Beside the image it reads metadata"), ("only", "It reads only metadata")):
        assert f"{sentence}, the columns kind, shop, price" in (models / name / "README.md").read_text()


def test_inference_reads_the_columns_of_the_table(models, channels, tmp_path, expected):
    found = answers(models / "fused", channels / "eval", tmp_path / "one")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    workers = answers(models / "fused", channels / "eval", tmp_path / "workers", "--num_workers", "2")
    np.testing.assert_array_equal(workers, found)


@pytest.mark.parametrize("mode", ["soft", "vote"])
def test_each_view_has_the_metadata_of_its_image(models, channels, tmp_path, images, table, mode):
    flags = ["--num_tta", "3", "--tta_mode", mode]
    found = answers(models / "fused", channels / "eval", tmp_path, *flags, job=inference_TTA)
    machine = {"device": "cpu", "precision": "fp32"}
    again = predict(models / "fused", images, metadata=table, num_tta=3, tta_mode=mode, **machine)
    np.testing.assert_allclose(found, probabilities(again), atol=1e-6)
    # all views of an image have the same metadata, and this model sees nothing else
    if mode == "soft":
        views = answers(models / "only", channels / "eval", tmp_path / "views", *flags, job=inference_TTA)
        np.testing.assert_allclose(views, answers(models / "only", channels / "eval", tmp_path / "one"), atol=1e-6)


def test_parts_have_the_same_predictions(models, channels, tmp_path, expected):
    whole = answers(models / "fused", channels / "eval", tmp_path / "whole", "--batch_size", "8")
    parts = answers(models / "fused", channels / "eval", tmp_path / "parts", "--batch_size", "8", "--part_size", "8")
    np.testing.assert_array_equal(parts, whole)
    assert run_subcommand("jobs", SUBCOMMANDS, ["shards", str(channels / "eval"), "--output", str(tmp_path / "s")]) == 0
    assert list((tmp_path / "s").glob("*.tar"))
    shards = answers(models / "fused", tmp_path / "s", tmp_path / "shards", "--batch_size", "8")
    np.testing.assert_allclose(shards, whole, atol=1e-6)
    np.testing.assert_allclose(whole, expected, atol=1e-6)


def test_members_with_and_without_metadata(models, channels, tmp_path, images, table, expected):
    members = [str(models / name) for name in ("fused", "plain", "only")]
    where = ["--eval_dir", str(channels / "eval"), "--output_data_dir", str(tmp_path), "--models", *members]
    assert inference.main([*where, *MACHINE]) == 0
    found = pd.read_csv(tmp_path / "probabilities.csv").iloc[:, 1:].to_numpy()
    machine = {"device": "cpu", "precision": "fp32"}
    plain = probabilities(predict(models / "plain", images, **machine))
    only = probabilities(predict(models / "only", images, metadata=table, **machine))
    np.testing.assert_allclose(found, (expected + plain + only) / 3, atol=1e-6)


def test_a_model_of_metadata_does_not_see_the_pixels(models, channels, tmp_path, table):
    found = answers(models / "only", channels / "eval", tmp_path / "out")
    shutil.copytree(channels / "eval", tmp_path / "grey")
    for path in (tmp_path / "grey" / "images").iterdir():
        Image.new("RGB", (32, 24), "grey").save(path)
    np.testing.assert_array_equal(answers(models / "only", tmp_path / "grey", tmp_path / "again"), found)
    kinds = table["kind"].map({kind: code for code, kind in enumerate(KINDS)})
    assert (found.argmax(1) == kinds).mean() > 0.6


def test_a_missing_column_is_an_error_with_the_nearest_name_or_unknown(
    models, channels, tmp_path, images, table, caplog
):
    shutil.copytree(channels / "eval", tmp_path / "eval")
    table.rename(columns={"kind": "kinds"}).drop(columns="price").to_csv(tmp_path / "eval" / "info.csv", index=False)
    where = ["--eval_dir", str(tmp_path / "eval"), "--model_dir", str(models / "fused"), *MACHINE]
    where += ["--output_data_dir", str(tmp_path / "out")]
    with pytest.raises(InputError) as error:
        inference.main(where)
    assert "'kind' (nearest: kinds), 'price'" in str(error.value) and "--missing_metadata unknown" in str(error.value)
    assert inference.main([*where, "--missing_metadata", "unknown"]) == 0
    assert "predicted without the metadata kind, price" in caplog.text
    found = pd.read_csv(tmp_path / "out" / "probabilities.csv").iloc[:, 1:].to_numpy()
    rows = [*({"shop": shop} for shop in table["shop"]), dict(table.iloc[0])]  # the last image has all columns
    again = predict(models / "fused", [*images, images[0]], metadata=rows, device="cpu", precision="fp32")
    np.testing.assert_allclose(found, probabilities(again)[:-1], atol=1e-6)
    # a folder without a table has no columns either; other letter case is the same column
    (tmp_path / "eval" / "info.csv").unlink()
    with pytest.raises(InputError, match="'kind', 'shop', 'price'"):
        inference.main(where)
    table.rename(columns=str.upper).rename(columns={"IMAGE_NAME": "image_name"}).to_csv(
        tmp_path / "eval" / "info.csv", index=False
    )
    assert inference.main(where) == 0


def test_single_files_are_predicted_without_metadata(models, images, tmp_path, capsys, caplog):
    flags = ["--model_dir", str(models / "fused"), *MACHINE, "--output_data_dir", str(tmp_path)]
    with caplog.at_level("WARNING"):
        assert inference.main([*map(str, images[:3]), *flags]) == 0
    assert "single images: predicted without the metadata kind, shop, price" in caplog.text
    found = pd.read_csv(tmp_path / "probabilities.csv").iloc[:, 1:].to_numpy()
    caplog.clear()
    unknown = predict(models / "fused", images[:3], device="cpu", precision="fp32")
    assert "predicted without the metadata" in caplog.text
    np.testing.assert_allclose(found, probabilities(unknown), atol=1e-6)


def test_python_takes_tables_columns_and_rows(models, images, table, expected):
    machine = {"device": "cpu", "precision": "fp32", "batch_size": 5}
    columns = {name: table[name].tolist() for name in COLUMNS}
    prices = table.assign(price=table["price"].astype(float), shop=table["shop"].replace("", None))
    for metadata in (columns, table.to_dict("records"), prices, prices.set_index("image_name")):
        found = predict(models / "fused", images, metadata=metadata, **machine)
        np.testing.assert_allclose(probabilities(found), expected, atol=1e-6)
    np.testing.assert_array_equal(
        probabilities(predict(models / "plain", images, metadata=table, **machine)),
        probabilities(predict(models / "plain", images, **machine)),
    )
    for metadata, message in (
        (table.head(3), "3 rows for 24 images"),
        (columns | {"shop": ["north"]}, "1, 24 rows for 24 images"),
        ([{"kind": "a"}], "1 rows for 24 images"),
        (table.drop(columns="shop").assign(shops=""), r"'shop' \(nearest: shops\)"),
        ("kind", "expected a DataFrame"),
    ):
        with pytest.raises(InputError, match=message):
            predict(models / "fused", images, metadata=metadata, **machine)


def test_the_server_reads_metadata_of_one_and_of_several_images(models, images, table, expected):
    contents = [path.read_bytes() for path in images[:4]]
    rows = table[COLUMNS].head(4).to_dict("records")
    unknown = probabilities(predict(models / "fused", contents, device="cpu", precision="fp32"))
    settings = build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32", "num_workers": 1})])
    with TestClient(Server(settings, models / "fused", lambda error: pytest.fail(str(error))).app()) as client:
        until(lambda: client.get("/ping").status_code == 200)

        def ask(**arguments: object) -> list[list[float]]:
            answer = client.post("/invocations", **arguments).json()
            return [one["probabilities"] for one in answer.get("predictions", [answer])]

        items = [{"image": base64.b64encode(one).decode(), **row} for one, row in zip(contents, rows, strict=True)]
        for body in (items, {"instances": items}):
            np.testing.assert_allclose(ask(json=body), expected[:4], atol=1e-6)
        number = {**items[1], "price": float(rows[1]["price"])}
        np.testing.assert_allclose(ask(json=number), expected[1:2], atol=1e-6)
        empty = {name: value for name, value in items[0].items() if name != "shop"}
        assert rows[0]["shop"] == ""
        np.testing.assert_allclose(ask(json={**empty, "shop": None}), expected[:1], atol=1e-6)
        assert not np.allclose(ask(json=empty), expected[:1], atol=1e-6)  # unknown, not empty
        # a form: one value for each image, or one for all; raw bytes have none
        files = [("file", (f"{row}.png", one, "image/png")) for row, one in enumerate(contents)]
        form = {name: [row[name] for row in rows] for name in COLUMNS}
        np.testing.assert_allclose(ask(files=files, data=form), expected[:4], atol=1e-6)
        np.testing.assert_allclose(ask(files=files[:1], data=rows[0]), expected[:1], atol=1e-6)
        raw = client.post("/invocations", content=contents[2], headers={"Content-Type": "image/png"}).json()
        np.testing.assert_allclose(raw["probabilities"], unknown[2], atol=1e-6)
        assert np.abs(unknown[:4] - expected[:4]).max() > 0.05
        schemas = client.get("/openapi.json").json()["paths"]["/invocations"]["post"]["requestBody"]["content"]
        assert "--fusion" in json.dumps(schemas["application/json"]) and "--fusion" in json.dumps(
            schemas["multipart/form-data"]
        )


@pytest.mark.parametrize("fusion", ["none", "concat", "metadata"])
def test_epochs_0_saves_the_initial_model(channels, tmp_path, fusion):
    flags = ["--fusion", fusion, *FUSED[2:4]] if fusion != "none" else []
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(tmp_path)]
    assert train.main([*SMALL, *where, *flags, "--num_epoch", "0"]) == 0
    found = answers(tmp_path / "exp", channels / "eval", tmp_path / "out")
    assert found.shape == (24, 3) and np.allclose(found.sum(1), 1, atol=1e-5)


def test_a_stopped_run_is_not_resumed_with_other_metadata(channels, tmp_path):
    """The identity of the data has the values; that of runs without fusion does not."""

    def identity(folder: Path, **settings: object) -> dict:
        chosen = build(TrainSettings, [Layer("{}", {"validation": 0.2, **settings})])
        return make_plan(chosen, *read_tables(chosen, folder, None, tmp_path / "checked")).identity()

    shutil.copytree(channels / "train", tmp_path / "train")
    fusion = {"fusion": "concat", "metadata_columns": ["kind"]}
    before, plain = identity(tmp_path / "train", **fusion), identity(tmp_path / "train")
    assert before == {**plain, "metadata": before["metadata"]} and "metadata" not in plain
    table = pd.read_csv(tmp_path / "train" / "train.csv")
    table.assign(price=1).to_csv(tmp_path / "train" / "train.csv", index=False)
    assert identity(tmp_path / "train", **fusion) == before  # another column
    table.assign(kind="a").to_csv(tmp_path / "train" / "train.csv", index=False)
    assert identity(tmp_path / "train", **fusion)["metadata"] != before["metadata"]
    assert identity(tmp_path / "train") == plain


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fusion", "concat", "--metadata_columns", "kind,label"], "label .attribute label.: a column of labels"),
        (["--fusion", "concat", "--metadata_columns", "kind,stop"], "no column 'stop'.*nearest: shop"),
        ([*FUSED, "--augmentation", '{"mixup": {}}'], "mixup mixes two images"),
    ],
)
def test_bad_columns_are_errors(channels, tmp_path, flags, message):
    with pytest.raises(InputError, match=message):
        train.main([*SMALL, "--train_dir", str(channels / "train"), "--model_dir", str(tmp_path), *flags])


def check_held_out(folder: Path, channel: Path, model_of: Callable[[int], Path]) -> None:
    """Compares predictions for held-out images with those of Python. model_of: the model of an image's fold."""
    truth = pd.read_csv(folder / "gt.csv", dtype=str, keep_default_na=False)
    found = pd.read_csv(folder / "probabilities.csv").iloc[:, 1:].to_numpy()
    for fold, rows in truth.groupby(truth["fold"] if "fold" in truth else np.zeros(len(truth))).indices.items():
        own = truth.iloc[rows]
        images = [channel / path for path in own["ImageID"]]
        again = predict(model_of(int(fold)), images, metadata=own[COLUMNS], device="cpu", precision="fp32")
        np.testing.assert_allclose(found[rows], probabilities(again), atol=1e-6)


def test_out_of_fold_predictions(channels, tmp_path):
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(tmp_path)]
    assert train.main([*SMALL, *where, "--output_data_dir", str(tmp_path / "o"), *FUSED, "--folds", "2"]) == 0
    folds = tmp_path / "o" / "exp" / "out_of_fold"
    check_held_out(folds, channels / "train", lambda fold: tmp_path / "exp" / f"fold{fold}")
    assert answers(tmp_path / "exp", channels / "eval", tmp_path / "out").shape == (24, 3)


@pytest.mark.parametrize("is_known", [False, True])
def test_validation_predictions(models, channels, tmp_path, is_known):
    """Those of the last epoch, and those that are computed again, for example for several models."""
    settings = load_model(models / "fused").settings
    plan = make_plan(settings, *read_tables(settings, channels / "train", None, tmp_path / "checked"))
    known = None
    if is_known:
        outcome = fit(settings, plan.runs[0].datasets)
        known = outcome.probabilities
        assert known is not None
    answer_validation(plan, models / "fused", settings, tmp_path, known, StopSignal())
    check_held_out(tmp_path, channels / "train", lambda _: models / "fused")


def test_heat_maps_and_embeddings(models, images, table):
    """A heat map explains the class that is predicted with the metadata."""
    machine = {"device": "cpu", "precision": "fp32"}
    unknown = probabilities(predict(models / "fused", images, **machine)).argmax(1)
    other = table.assign(kind=table["kind"].map({"a": "b", "b": "c", "c": "a"}))
    known = probabilities(predict(models / "fused", images, metadata=other, **machine)).argmax(1)
    row = int(np.flatnonzero(unknown != known)[0])
    maps = HeatMaps(models / "fused", "cpu")
    drawn = [np.asarray(maps.draw(images[row], {"label": code})) for code in range(3)]
    np.testing.assert_array_equal(maps.draw(images[row], metadata=other.iloc[row].to_dict()), drawn[known[row]])
    np.testing.assert_array_equal(maps.draw(images[row]), drawn[unknown[row]])
    assert not np.array_equal(drawn[unknown[row]], drawn[known[row]])
    with pytest.raises(InputError, match="reads only metadata"):
        HeatMaps(models / "only", "cpu")
    settings = {"device": "cpu", "precision": "fp32"}
    (network,) = make_networks(build(EmbedderSettings, [Layer("{}", {**settings, "model": str(models / "fused")})]))
    plain = load_model(models / "fused").pipeline.preprocessing
    inputs = Inputs({"pixels": np.zeros((2, plain.height, plain.width, 3), np.uint8)})
    assert network(inputs).shape == (2, network.features)
    with pytest.raises(InputError, match="has no features of images"):
        list(make_networks(build(EmbedderSettings, [Layer("{}", {**settings, "model": str(models / "only")})])))


def test_weights_of_a_saved_model_with_metadata(models, channels, tmp_path, expected, caplog):
    """The same vocabulary: everything is loaded. Otherwise the backbone alone."""
    where = ["--train_dir", str(channels / "train"), "--model_dir", str(tmp_path), "--epochs", "0"]
    fused = ["--weights", str(models / "fused")]
    assert train.main([*SMALL, *where, *FUSED, *fused, "--name", "same"]) == 0
    first, same = (load_file(folder / "model.safetensors") for folder in (models / "fused", tmp_path / "same"))
    assert first.keys() == same.keys() and all(np.array_equal(first[key], same[key]) for key in first)
    for name, flags in (("image", []), ("other", [*FUSED, "--metadata_min_count", "60"])):
        with caplog.at_level("INFO"):
            assert train.main([*SMALL, *where, *fused, *flags, "--name", name]) == 0
    assert caplog.text.count("trained from scratch, because it reads other metadata") == 2
    for name in ("image", "other"):
        saved = load_file(tmp_path / name / "model.safetensors")
        same = {key for key in saved if key in first and np.array_equal(first[key], saved[key])}
        assert {key for key in saved if key.startswith("backbone.")} <= same
        assert not any(key.endswith("weight") and key.startswith(("heads.", "metadata.")) for key in same)
