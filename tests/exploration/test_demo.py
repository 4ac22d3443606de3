import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import RidgeClassifier

from exploration import __main__ as command
from exploration import demo
from exploration.demo import BANDS, KINDS, DemoSettings, Person, draw_demo, make_persons
from model.errors import InputError

PROFILE = re.compile(r"(\d{6})_(male|female)_(\w+)_(\d+)")


def small(output: Path, **changes: object) -> DemoSettings:
    return DemoSettings(**{"output": str(output), "persons": 12, "eval_persons": 12, "size": [24, 32]} | changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Person]]]:
    output = tmp_path_factory.mktemp("demo") / "data"
    return output, draw_demo(small(output, persons=40, eval_persons=20, size=[48, 64]))


def test_train_is_in_profile_folders_of_seven_images(drawn: tuple[Path, dict[str, list[Person]]]) -> None:
    output, people = drawn
    folders = sorted((output / "train" / "images").iterdir())
    profiles = [PROFILE.fullmatch(folder.name).group(1, 2, 4) for folder in folders]  # type: ignore[union-attr]
    assert profiles == [(p.id, p.gender, str(p.age)) for p in people["train"]]
    extensions = Counter()
    for folder in folders:
        assert sorted(path.stem for path in folder.iterdir()) == sorted(KINDS)
        extensions.update(path.suffix for path in folder.iterdir())
    assert set(extensions) == {".jpg", ".jpeg", ".png"}
    assert extensions[".jpg"] > 0.75 * extensions.total()


def test_extensions_match_the_file_formats(drawn: tuple[Path, dict[str, list[Person]]]) -> None:
    for path in drawn[0].rglob("images/**/*.*"):
        with Image.open(path) as picture:
            assert picture.format == ("PNG" if path.suffix == ".png" else "JPEG")
            assert (picture.mode, picture.size) == ("RGB", (48, 64))


def test_eval_has_other_persons_and_the_true_classes(drawn: tuple[Path, dict[str, list[Person]]]) -> None:
    """Reference: mask*6 + gender*3 + age written out by hand."""
    output, people = drawn
    info = pd.read_csv(output / "eval" / "info.csv")
    truth = pd.read_csv(output / "gt" / "gt.csv", dtype={"person": str})
    assert list(info) == ["ImageID", "ans"] and list(truth) == ["ImageID", "ans", "person"]
    assert (info["ans"] == 0).all()
    assert info["ImageID"].tolist() == truth["ImageID"].tolist()
    assert sorted(info["ImageID"]) == sorted(path.name for path in (output / "eval" / "images").iterdir())
    assert info["ImageID"].str.fullmatch(r"[0-9a-f]{40}\.jpg").all()
    assert not {p.id for p in people["train"]} & set(truth["person"])
    for person in people["eval"]:
        rest = 3 * (person.gender == "female") + (person.age >= 30) + (person.age >= 60)
        expected = [rest] * 5 + [6 + rest, 12 + rest]
        assert sorted(truth.loc[truth["person"] == person.id, "ans"]) == expected


def test_rows_of_info_are_shuffled(drawn: tuple[Path, dict[str, list[Person]]]) -> None:
    truth = pd.read_csv(drawn[0] / "gt" / "gt.csv")
    neighbours_alike = (truth["person"].diff() == 0).mean()
    assert neighbours_alike < 0.2  # 6 / 7 in the order of drawing
    assert truth["ImageID"].tolist() != sorted(truth["ImageID"])


@pytest.mark.parametrize("count", [12, 120, 300])
def test_persons_have_the_competitions_shares(count: int) -> None:
    people = make_persons(count, 7, np.random.default_rng(0))
    assert [p.id for p in people] == [f"{7 + i:06d}" for i in range(count)]
    old = Counter(p.gender for p in people if p.age >= 60)
    assert min(old["male"], old["female"]) >= 2
    assert all(min(abs(p.age - cut) for cut in (30, 60)) > 1.5 for p in people)
    assert {p.age for p in people} <= set(range(18, 71))
    if count >= 100:
        assert old.total() == pytest.approx(0.07 * count, abs=1)
        assert sum(p.age < 30 for p in people) == pytest.approx(0.45 * count, abs=1)
        assert 0.5 < sum(p.gender == "female" for p in people) / count < 0.57


def test_bands_cover_all_persons() -> None:
    assert sum(share for *_, share in BANDS) == pytest.approx(1)


def test_mask_and_gender_and_age_can_be_seen(drawn: tuple[Path, dict[str, list[Person]]]) -> None:
    """A linear classifier on 24 x 32 pixels that is trained on train predicts each attribute on eval."""
    output, people = drawn
    pixels, codes = [], []
    for person in people["train"]:
        (folder,) = (output / "train" / "images").glob(f"{person.id}_*")
        for path in folder.iterdir():
            pixels.append(looks(path))
            codes.append((list(KINDS.values()).index(KINDS[path.stem]), person.gender == "female", person.age >= 45))
    truth = pd.read_csv(output / "gt" / "gt.csv", dtype={"person": str})
    ages = {p.id: p.age for p in people["eval"]}
    seen = [looks(output / "eval" / "images" / name) for name in truth["ImageID"]]
    expected = truth["ans"] // 6, truth["ans"] // 3 % 2, truth["person"].map(ages) >= 45
    for taught, true, floor in zip(zip(*codes), expected, (0.85, 0.8, 0.8)):
        kinds = {code: number for number, code in enumerate(sorted(set(taught)))}
        model = RidgeClassifier(alpha=300).fit(pixels, [kinds[code] for code in taught])
        assert model.score(seen, true.astype(int)) > floor


def looks(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.resize((24, 32), Image.Resampling.BOX), dtype=np.float32).ravel() / 64


def test_a_person_looks_different_with_another_seed(tmp_path: Path) -> None:
    person = Person("000001", "female", 24)
    a, b = (next(demo.draw_images(person, small(tmp_path, seed=seed)))[1] for seed in (0, 1))
    assert np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean() > 10


def test_equal_seeds_draw_equal_files_and_others_do_not(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        draw_demo(small(tmp_path / name, seed=seed))
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    pictures = {name for name in a if "images" in name}
    assert not {a[name] for name in pictures} & set(c.values())


def test_its_own_folder_is_replaced_without_leftovers(tmp_path: Path) -> None:
    output = tmp_path / "data"
    draw_demo(small(output, persons=14))
    (output / "train" / "images" / "stale.jpg").write_bytes(b"")
    (tmp_path / ".data.partial").mkdir()
    (tmp_path / ".data.partial" / "README.txt").write_text(demo.MARKER)  # of a run that was killed
    draw_demo(small(output))
    assert len(list((output / "train" / "images").iterdir())) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("taken", ["data", ".data.partial"])
def test_any_other_folder_is_not_changed(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).mkdir()
    (tmp_path / taken / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / taken))):
        draw_demo(small(tmp_path / "data"))
    assert contents(tmp_path) == {f"{taken}/thesis.tex": b"years of work"}


def test_a_file_instead_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(InputError, match="already exists"):
        draw_demo(small(tmp_path / "data"))
    with pytest.raises(InputError, match="cannot be written"):
        draw_demo(small(tmp_path / "data" / "below"))


def test_a_failed_run_keeps_the_earlier_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "data"
    draw_demo(small(output))
    before = contents(output)
    monkeypatch.setattr(demo, "write_eval", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw_demo(small(output, seed=1))
    assert contents(tmp_path) == {f"data/{name}": held for name, held in before.items()}


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_flags_reach_the_drawing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "x"
    flags = f"demo --output {output} --persons 13 --eval-persons 12 --size 20 40 --seed 2".split()
    assert command.main(flags) == 0
    assert "13 persons, 91 images" in capsys.readouterr().out
    with Image.open(next((output / "eval" / "images").iterdir())) as picture:
        assert picture.size == (20, 40)


def test_the_layout_folders_has_a_folder_per_class_and_each_person_in_one_split(tmp_path: Path) -> None:
    people = draw_demo(small(tmp_path / "data", layout="folders", persons=20))
    assert [len(people[part]) for part in ("train", "val", "test")] == [17, 3, 12]
    for part, persons in people.items():
        drawn = {
            path.relative_to(tmp_path / "data" / part).as_posix() for path in (tmp_path / "data" / part).rglob("*.*")
        }
        assert drawn == {f"{KINDS[kind]}/{person.id}_{kind}.jpg" for person in persons for kind in KINDS}
    ids = [person.id for persons in people.values() for person in persons]
    assert len(set(ids)) == len(ids) == 32


def test_the_layout_table_has_a_row_per_image_with_all_attributes(tmp_path: Path) -> None:
    people = draw_demo(small(tmp_path / "data", layout="table"))
    for part, persons in people.items():
        table = pd.read_csv(tmp_path / "data" / part / "labels.csv", dtype={"person": str})
        assert sorted(table["file"]) == sorted(path.name for path in (tmp_path / "data" / part / "images").iterdir())
        expected = {(f"{p.id}_{kind}.jpg", p.id, KINDS[kind], p.gender, p.age) for p in persons for kind in KINDS}
        assert set(table[["file", "person", "mask", "gender", "age"]].itertuples(index=False, name=None)) == expected
    assert set(people) == {"train", "test"}
    assert not {p.id for p in people["train"]} & {p.id for p in people["test"]}
