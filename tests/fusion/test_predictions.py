"""Predictions of networks that read metadata: inference, test-time augmentation, ensembles, parts, single files,
Python, the server."""

from __future__ import annotations

import base64
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.testclient import TestClient

import inference
import inference_TTA
from container.serve.app import Server
from jobs.__main__ import SUBCOMMANDS
from model.errors import InputError
from model.prediction import predict
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from model.subcommands import run_subcommand
from tests.container.http.server_process import until
from tests.fusion.conftest import COLUMNS, KINDS, MACHINE, answers, probabilities


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
        upper = [{name if name == "image" else name.upper(): one for name, one in item.items()} for item in items]
        np.testing.assert_allclose(ask(json=upper), expected[:4], atol=1e-6)
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
