"""Tables and folders like those of public data sets that no recipe of docs/data.md covers, with drawn images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.recipes import draw, run, split, values, write


def shaped(name: str, settings: Mapping[str, Any], *flags: str) -> Path:
    """Trains with a YAML of these settings; returns the folder of the saved model."""
    Path("settings.yaml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    run(["train.py", "--config", "settings.yaml", "--name", name, *flags])
    assert len(list(Path().rglob("report.html"))) == 1
    return Path("runs") / name


def test_a_list_separated_by_spaces_in_a_file_called_csv() -> None:
    """zae-bayern/elpv-dataset: images/cell0001.png  1.0                 mono."""
    shares, kinds = ["0.0", "0.3333333333333333", "0.6666666666666666", "1.0"], ["mono", "poly"]
    rows = [(f"images/cell{number:04}.png", shares[number % 4], kinds[number // 4 % 2]) for number in range(48)]
    write("data/labels.csv", *(f"{path}  {share:18}  {kind}" for path, share, kind in rows))
    for path, *_ in rows:
        draw(f"data/{path}")
    attributes = {
        "defect": {"column": "label", "cuts": [0.5], "names": ["works", "broken"]},
        "cell": {"column": "label_2"},
    }
    model = shaped(
        "cells",
        {"layout": "list", "table": "labels.csv", "target": "heads", "attributes": attributes},
        "--train_dir",
        "data",
    )
    assert values(model) == {"defect": ["works", "broken"], "cell": ["mono", "poly"]}
    images = split()
    assert images.defect.to_dict() == {path: "broken" if share > "0.5" else "works" for path, share, _ in rows}
    assert images.cell.to_dict() == {path: kind for path, _, kind in rows}


def test_class_folders_of_ppm_images_with_a_semicolon_table_in_each() -> None:
    """GTSRB: Final_Training/Images/<class>/GT-00014.csv and <track>_<frame>.ppm; Final_Test has one table for all."""
    header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"
    signs = ["30_kmh", "fußgänger", "stopp"]
    for code, sign in enumerate(signs):
        for track in range(4):
            for frame in range(3):
                draw(f"Final_Training/Images/{sign}/{track:05}_{frame:05}.ppm")
        write(f"Final_Training/Images/{sign}/GT-{code:05}.csv", header, f"00000_00000.ppm;36;32;5;5;30;30;{code}")
        draw(f"Final_Test/Images/{sign}/{code:05}.ppm")
    write(
        "Final_Test/Images/GT-final_test.csv", header, *(f"{code:05}.ppm;36;32;5;5;30;30;{code}" for code in range(3))
    )
    channels = ["--train_dir", "Final_Training/Images", "--validation_dir", "Final_Test/Images"]
    model = shaped("signs", {}, *channels)
    assert values(model) == {"label": signs}
    data = json.loads((model / "metrics.json").read_text(encoding="utf-8"))["data"]
    assert (data["train"]["pictures"], data["validation"]["pictures"]) == (36, 3)
