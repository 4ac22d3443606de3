from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tests.model.data.conftest import problems_of, read, touch


def manifest(root: Path, *records: object) -> None:
    (root / "train.manifest").write_text("\n".join(json.dumps(record) for record in records))


def test_sagemakers_augmented_manifest(root: Path) -> None:
    """Format of Ground Truth's output for image classification."""
    touch(root, "images/deep/a.jpg", "images/deep/b.jpg", "images/c.jpg")
    metadata = {"confidence": 0.95, "type": "groundtruth/image-classification", "human-annotated": "yes"}
    manifest(
        root,
        *(
            {
                "source-ref": f"s3://bucket/data/train/images/{path}",
                "person": person,
                "animals": code,
                "animals-metadata": metadata | {"class-name": name},
            }
            for path, person, code, name in (
                ("deep/a.jpg", 4, 1, "dog"), ("deep/b.jpg", 4, 0, "cat"), ("c.jpg", 5, 1, "dog")
            )
        ),
    )  # fmt: skip
    table = read(root)
    assert table.source == "manifest train.manifest"
    assert table.locations.paths == ["images/deep/a.jpg", "images/deep/b.jpg", "images/c.jpg"]
    assert table.frame()["label"].tolist() == ["dog", "cat", "dog"]
    assert (table.grouped_by, table.groups.tolist()) == ("person", ["4", "4", "5"])
    assert read(root, attributes={"animals": ["dog", "cat"]}).labels["animals"].tolist() == [0, 1, 0]


def test_the_common_prefix_of_a_manifest_may_end_inside_the_channel(root: Path) -> None:
    touch(root, "a/b/x.jpg", "a/b/y.jpg")
    manifest(
        root,
        {"source-ref": "s3://bucket/data/a/b/x.jpg", "class": "0"},
        {"source-ref": "s3://bucket/data/a/b/y.jpg", "class": "1"},
    )
    assert read(root).locations.paths == ["a/b/x.jpg", "a/b/y.jpg"]


def test_invalid_rows_of_a_manifest_are_reported(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    lines = [
        '{"source-ref": "a.jpg", "class": "0"}',
        '{"source-ref": "b.jpg", "class": "1"}',
        '{"source-ref": "c.jpg", "class": [1, 0]}',
        '{"source-ref": "c.jpg"',
        '{"source": "text", "class": "1"}',
        '{"source-ref": "../c.jpg", "class": "1"}',
    ]
    (root / "x.jsonl").write_text("\n".join(lines))
    problems = problems_of(root)
    assert problems["more than one label in an attribute"] == [
        "x.jsonl row 3: class = [1, 0], expected one label; use one attribute per label"
    ]
    assert [location.partition(":")[0] for location in problems["invalid manifest row"]] == [
        "x.jsonl row 4",
        "x.jsonl row 5",
    ]
    assert problems["path outside the channel"] == [
        "x.jsonl row 6: '../c.jpg', expected a path relative to the channel"
    ]
    assert len(problems) == 3


def test_a_label_without_a_class_name_is_reported(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    rows = [
        {"source-ref": f"{name}.jpg", "kind": code, "kind-metadata": metadata}
        for name, code, metadata in (("a", 0, {"class-name": "cat"}), ("b", 1, {"class-name": "dog"}), ("c", 1, {}))
    ]
    manifest(root, *rows)
    expected = "train.manifest row 3: kind = 1, expected a class-name in its metadata, as in other rows"
    assert problems_of(root) == {"label without a class-name": [expected]}
    manifest(root, *(row | {"kind-metadata": {}} for row in rows))
    assert read(root).scheme.class_names == ["0", "1"]


def test_skipped_rows_without_an_image_are_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "a.jpg", "b.jpg")
    manifest(root, *({"source-ref": f"s3://bucket/{name}.jpg", "kind": name} for name in ("a", "b", "none")))
    with caplog.at_level(logging.INFO, "rarebird"):
        assert read(root, missing="skip").locations.paths == ["a.jpg", "b.jpg"]
    assert "train.manifest: skipped 1 row without an image: train.manifest row 3: none.jpg" in caplog.messages
