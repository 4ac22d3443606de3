from __future__ import annotations

import json
from pathlib import Path

from tests.model.data.conftest import csv_channel, problems_of, read, touch


def test_unknown_splits_are_reported_with_their_counts(root: Path) -> None:
    text = "path,label,set\n0.jpg,0,train\n1.jpg,1,trian\n2.jpg,1,trian\n3.jpg,0,\n"
    unknown = problems_of(csv_channel(root, text), split_column="set")["unknown split"]
    expected = "expected train or training or validation or valid or val or validate or dev or test or testing or"
    assert len(unknown) == 2 and unknown[0].startswith(f"CSV train.csv: set = 'trian' in 2 rows, {expected}")
    assert unknown[0].endswith("; nearest: train") and unknown[1].startswith("CSV train.csv: set = '' in 1 rows")
    assert "nearest: set" in problems_of(root, split_column="sett")["missing split column"][0]


def test_the_nearest_split_is_looked_up_only_for_listed_problems(root: Path) -> None:
    text = "path,label,set\n" + "".join(f"{row}.jpg,{row % 2},trian{row}\n" for row in range(30))
    unknown = problems_of(csv_channel(root, text, images=30), split_column="set")["unknown split"]
    assert [detail.endswith("; nearest: train") for detail in unknown] == [True] * 20 + [False] * 10


def test_a_split_column_of_a_manifest_skips_rows_too(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    lines = [
        {"source-ref": f"s3://bucket/{name}.jpg", "kind": name, "kind-metadata": {}, "part": part}
        for name, part in (("a", "train"), ("b", "test"), ("c", "val"))
    ]
    (root / "x.manifest").write_text("\n".join(map(json.dumps, lines)))
    table = read(root, split_column="part")
    assert table.locations.paths == ["a.jpg", "c.jpg"] and table.scheme.class_names == ["a", "c"]
    assert table.sides is not None and table.sides.tolist() == ["train", "validation"]
    assert table.take([1]).sides.tolist() == ["validation"]  # type: ignore[union-attr]
