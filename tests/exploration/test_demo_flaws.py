"""Planted flaws: flaws.csv describes every difference from the data set without flaws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from exploration.demo import LAYOUTS, DemoSettings, draw_demo
from exploration.demo_flaws import BAD_IMAGES, COLUMNS, LEAST_YEARS, MOST_YEARS
from model.images.decode import UnreadableImage, read_source
from model.labels import mask_scheme


def settings(output: Path, layout: str, flaws: bool) -> DemoSettings:
    return DemoSettings(str(output), layout, persons=36, eval_persons=12, size=[24, 32], seed=4, flaws=flaws)


@pytest.fixture(scope="module", params=LAYOUTS)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """The layout, a data set without flaws and the same with flaws."""
    folder = tmp_path_factory.mktemp(request.param)
    for name, flaws in (("clean", False), ("flawed", True)):
        draw_demo(settings(folder / name, request.param, flaws))
    return request.param, folder / "clean", folder / "flawed"


def flaws_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "flaws.csv", dtype=str, keep_default_na=False)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_flaws_the_data_set_is_the_same_and_has_no_list(drawn: tuple[str, Path, Path]) -> None:
    """All images that flaws.csv does not list are byte for byte the same in both data sets."""
    _, clean, flawed = drawn
    before, after, flaws = files(clean), files(flawed), flaws_of(flawed)
    assert "flaws.csv" not in before and list(flaws) == list(COLUMNS)
    listed = set(flaws["part"] + "/" + flaws["path"])
    images = {name for name in after if name.endswith((".jpg", ".jpeg", ".png"))}
    assert listed <= images
    assert all(after[name] == before[name] for name in images - listed)
    assert len(images) == sum(name.endswith((".jpg", ".jpeg", ".png")) for name in before) + sum(
        flaws["kind"] == "copy"
    )


def test_wrong_labels_are_in_the_labels(drawn: tuple[str, Path, Path]) -> None:
    layout, _, flawed = drawn
    flaws = flaws_of(flawed)
    wrong = flaws[flaws["kind"].isin(["gender", "age"])]
    assert (layout == "folders") == wrong.empty
    for flaw in wrong.itertuples():
        if layout == "competition":
            _, gender, _, age = flaw.path.split("/")[1].split("_")
        else:
            table = pd.read_csv(flawed / "train" / "labels.csv", dtype=str).set_index("file")
            gender, age = table.loc[Path(flaw.path).name, ["gender", "age"]]
        assert {"gender": gender, "age": age}[flaw.kind] == flaw.given != flaw.true
        if flaw.kind == "age":
            assert LEAST_YEARS <= abs(int(flaw.given) - int(flaw.true)) <= MOST_YEARS
    persons = flaws[flaws["kind"].isin(["gender", "age", "swapped"])].groupby("person")
    assert len(persons) == 3 and set(persons.size()) == ({2} if layout == "folders" else {2, 7})


def test_swapped_images_have_each_others_files(drawn: tuple[str, Path, Path]) -> None:
    _, clean, flawed = drawn
    flaws = flaws_of(flawed)
    swapped = flaws[flaws["kind"] == "swapped"]
    assert len(swapped) >= 2
    for first, second in zip(swapped[::2].itertuples(), swapped[1::2].itertuples()):
        assert (first.given, first.true) == (second.true, second.given) and first.person == second.person
        for one, other in ((first, second), (second, first)):
            (before,) = (clean / "train").rglob(f"{Path(other.path).stem}.*") if "_" in Path(other.path).stem[:7] else (
                (clean / "train" / other.path).parent.glob(f"{Path(other.path).stem}.*"))  # fmt: skip
            assert (flawed / "train" / one.path).read_bytes() == before.read_bytes()


def test_copies_show_their_originals_and_have_labels(drawn: tuple[str, Path, Path]) -> None:
    layout, _, flawed = drawn
    flaws = flaws_of(flawed)
    copies = flaws[flaws["kind"] == "copy"]
    assert set(copies["part"]) == {"train", "eval" if layout == "competition" else "test"}
    assert 2 <= (copies["given"] != copies["true"]).sum() < len(copies)
    for flaw in copies.itertuples():
        looks = []
        for path in (flawed / flaw.part / flaw.path, flawed / flaw.original):
            with Image.open(path) as image:
                looks.append(np.asarray(image.convert("L").resize((12, 16)), dtype=float))
        one, other = looks
        distances = [np.abs(one - own).mean() for own in (other, other[:, ::-1])]
        assert min(distances) < 22
    if layout == "competition":
        truth = pd.read_csv(flawed / "gt" / "gt.csv", dtype={"person": str}).set_index("ImageID")
        info = pd.read_csv(flawed / "eval" / "info.csv")
        assert info["ImageID"].tolist() == truth.index.tolist() and truth.index.is_unique
        masks = mask_scheme().attributes[0].values
        for flaw in copies[copies["part"] == "eval"].itertuples():
            assert masks[truth.loc[Path(flaw.path).name, "ans"] // 6] == flaw.given
    elif layout == "table":
        for flaw in copies.itertuples():
            table = pd.read_csv(flawed / flaw.part / "labels.csv", dtype=str).set_index("file")
            assert table.loc[Path(flaw.path).name, "mask"] == flaw.given


def test_bad_images_are_broken_dark_or_blurred(drawn: tuple[str, Path, Path]) -> None:
    _, clean, flawed = drawn
    flaws = flaws_of(flawed)
    for kind in ("broken", "dark", "blurred"):
        bad = flaws[flaws["kind"] == kind]
        assert len(bad) == BAD_IMAGES
        for flaw in bad.itertuples():
            content = (flawed / "train" / flaw.path).read_bytes()
            if kind == "broken":
                with pytest.raises(UnreadableImage):
                    read_source(content)
                continue
            before, after = read_source(clean / "train" / flaw.path).convert("L"), read_source(content).convert("L")
            if kind == "dark":
                assert np.asarray(after).mean() < 32 < np.asarray(before).mean()
            else:
                edges = [np.asarray(own.filter(ImageFilter.FIND_EDGES))[2:-2, 2:-2].mean() for own in (before, after)]
                assert edges[1] < 0.8 * edges[0]


def test_flaws_are_those_of_the_seed(tmp_path: Path) -> None:
    drawn = []
    for name in "ab":
        draw_demo(settings(tmp_path / name, "table", flaws=True))
        drawn.append(files(tmp_path / name))
    assert drawn[0] == drawn[1]


def test_the_default_folder_is_another_one() -> None:
    assert (DemoSettings().folder, DemoSettings(flaws=True).folder) == ("demo/data", "demo/flaws")
    assert DemoSettings("x", flaws=True).folder == "x"
