"""Heat maps of a saved model: what is explained, where red is, which models have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exploration.heat_maps import HeatMaps, heat_maps, overlay


def test_evidence_is_red_and_the_rest_keeps_its_colours() -> None:
    pixels = np.full((32, 64, 3), 100, np.uint8)
    evidence = np.zeros((2, 4), np.float32)
    evidence[:, 3] = 1
    image = np.asarray(overlay(pixels, evidence)).astype(int)
    assert image.shape == (256, 512, 3)
    assert (image[:, :200] == 100).all()
    assert (image[:, -20:] == [193, 64, 40]).all()  # 100 * 0.4 + red * 0.6
    grey = np.asarray(overlay(np.full((300, 300, 1), 9, np.uint8), np.zeros((3, 3), np.float32)))
    assert grey.shape == (300, 300, 3) and (grey == 9).all()


@pytest.mark.parametrize("name", ["joint", "heads"])
def test_the_predicted_class_is_explained_by_default(models: Path, faces: Path, name: str) -> None:
    maps = HeatMaps(models / name, "cpu")
    image = sorted((faces / "eval" / "images").iterdir())[0]
    (drawn,) = heat_maps(models / name, [image], "cpu")
    scheme = maps.model.scheme
    logits = maps.backend.logits(maps.views(Image.open(image).convert("RGB"), 0))
    joint = int(maps.backend.heads.probabilities(logits)[0].argmax())
    predicted = {attribute: int(code) for attribute, code in scheme.split(joint).items()}
    assert drawn.mode == "RGB"
    explained = maps.draw(image, predicted)
    assert np.array_equal(np.asarray(drawn), np.asarray(explained))
    others = [maps.draw(image, predicted | {"mask": code}) for code in range(3) if code != predicted["mask"]]
    assert any(not np.array_equal(np.asarray(drawn), np.asarray(other)) for other in others)


def test_one_attribute_can_be_explained_if_it_has_a_head(models: Path, faces: Path) -> None:
    image = sorted((faces / "eval" / "images").iterdir())[0]
    maps = HeatMaps(models / "heads", "cpu")
    by_class = [np.asarray(maps.draw(image, {"gender": code})) for code in (0, 1)]
    assert not np.array_equal(*by_class)
