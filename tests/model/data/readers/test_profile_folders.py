from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from model.data.channel import read_channel
from model.errors import Problems
from tests.model.data.conftest import problems_of, profile, read, touch, write_csv


@pytest.mark.parametrize("base", ["", "images/"])
def test_profile_folders_are_the_mask_scheme(root: Path, base: str) -> None:
    profile(root, f"{base}000001_female_Asian_29")
    profile(root, f"{base}000002_male_Asian_60", ".PnG")
    (root / f"{base}000002_male_Asian_60/normal.PnG").rename(root / f"{base}000002_male_Asian_60/NORMAL.PnG")
    table = read(root)
    frame = table.frame().set_index("path")
    assert len(table) == 14
    assert table.source == "profile folders"
    assert table.grouped_by == "person"
    assert set(table.groups) == {"000001", "000002"}
    first = f"{base}000001_female_Asian_29"
    assert frame.loc[f"{first}/mask3.jpg", ["mask", "gender", "age"]].tolist() == ["worn", "female", "under 30"]
    assert frame.loc[f"{first}/incorrect_mask.jpg", "mask"] == "incorrect"
    assert frame.loc[f"{first}/normal.jpg", "mask"] == "none"
    assert frame.loc[f"{base}000002_male_Asian_60/mask1.PnG", "age"] == "60 and over"
    assert set(frame["age_number"]) == {29.0, 60.0}
    assert set(frame["race"]) == {"Asian"}
    # mask*6 + gender*3 + age: five worn, one incorrect, one none of each person
    assert {code: count for code, count in enumerate(table.class_counts()) if count} == {
        3: 5, 9: 1, 15: 1, 2: 5, 8: 1, 14: 1,
    }  # fmt: skip


def test_profile_folders_with_a_scheme_from_the_settings(root: Path) -> None:
    profile(root, "000001_female_Asian_45")
    profile(root, "000002_male_Asian_58")
    table = read(root, attributes={"age": {"cuts": [30, 58]}})
    assert table.scheme.names == ("age",)
    assert table.class_counts().tolist() == [0, 7, 7]
    assert sorted(table.metadata) == ["gender", "mask", "race"]
    assert read(root, age_cuts=[30, 58]).class_counts().sum() == 14
    assert read(root, age_cuts=[30, 58]).scheme.attribute("age").cuts == (30.0, 58.0)


def test_other_files_of_profiles_are_skipped_and_logged_in_one_line(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    profile(root, "images/000001_female_Asian_45")
    touch(root, "images/000001_female_Asian_45/mask6.jpg", "images/000001_female_Asian_45/Thumbs.db")
    touch(root, "images/stray.png", "notes.txt")
    touch(root, "images/.DS_Store", "images/000001_female_Asian_45/._mask1.jpg", "images/.cache/mask1.jpg")
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root)
    assert len(table) == 7
    warnings = [message for message in caplog.messages if "skipped" in message]
    assert len(warnings) == 1
    assert warnings[0].startswith("skipped 2 files")
    assert "mask6.jpg" in warnings[0] and "stray.png" in warnings[0] and "Thumbs.db" not in warnings[0]
    assert "DS_Store" not in caplog.text


def test_problems_of_profile_folders_are_reported(root: Path) -> None:
    for name in ("000001_female_Asian_45", "000002_femal_Asian_45", "000003_male_Asian_4O", "000004_male_45"):
        profile(root, f"images/{name}")
    (root / "images/000005_male_Asian_45").mkdir()
    problems = Problems("channel")
    table = read_channel(root, problems)
    assert problems.kinds == {
        "not a profile folder": ["images/000004_male_45: expected a name such as <id>_<gender>_<race>_<age>"],
        "profile folder without images": [
            "images/000005_male_Asian_45: expected images incorrect_mask, normal, mask1, mask2, mask3, mask4, mask5"
        ],
        "unknown label": ["images/000002_femal_Asian_45: gender = 'femal', expected male, female; nearest: female"],
        "invalid number": [
            "images/000003_male_Asian_4O: age = '4O', expected a number or one of under 30, 30 to 59, 60 and over"
        ],
    }
    assert table is not None
    assert set(table.groups) == {"000001"}
    assert len(table.set_aside) == 21


def test_links_out_of_a_profile_channel_are_reported(root: Path) -> None:
    profile(root, "000001_female_Asian_45")
    (root / "000001_female_Asian_45/mask1.jpg").unlink()
    os.symlink("/etc/mask1.jpg", root / "000001_female_Asian_45/mask1.jpg")
    os.symlink("/etc", root / "000002_female_Asian_45")
    (root / "000003_male_Asian_20").mkdir()  # with links alone it is not without images
    os.symlink("/etc/mask1.jpg", root / "000003_male_Asian_20/mask1.jpg")
    problems = problems_of(root)
    assert list(problems) == ["links out of the channel"]
    assert problems["links out of the channel"][0].startswith(
        "3, such as 000001_female_Asian_45/mask1.jpg, which leads"
    )


def test_profile_folders_with_only_invalid_names_are_reported(root: Path) -> None:
    profile(root, "images/one")
    assert problems_of(root, layout="profiles") == {
        "not a profile folder": ["images/one: expected a name such as <id>_<gender>_<race>_<age>"]
    }


def test_the_competitions_csv_lists_profile_folders(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("000001_female_Asian_45", "000002_male_Asian_52"):
        profile(root, f"images/{name}")
    profile(root, "images/000009_male_Asian_20")  # not in the table
    touch(root, "images/000001_female_Asian_45/extra.jpg")
    write_csv(
        root,
        "id,gender,race,age,path\n000001,female,Asian,45,000001_female_Asian_45\n000002,female,Asian,61,000002_male_Asian_52\n",
    )
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root)
    assert len(table) == 14
    assert table.source == "CSV train.csv"
    assert (table.grouped_by, set(table.groups)) == ("person", {"000001", "000002"})
    assert list(table.metadata) == ["race"]
    second = table.frame()[table.groups == "000002"]
    assert set(second["gender"]) == {"female"}
    assert set(second["age_number"]) == {61.0}
    assert second["mask"].value_counts().to_dict() == {"worn": 5, "incorrect": 1, "none": 1}
    assert "2 values; the table's values are used: train.csv row 3 (gender female, folder male)" in caplog.text
    assert "skipped 1 file" in caplog.text


def test_problems_of_the_competitions_csv_are_reported(root: Path) -> None:
    profile(root, "images/000001_female_Asian_45")
    profile(root, "images/000002_male_Asian_52")
    (root / "images/000003_male_Asian_30").mkdir()
    touch(root, "images/x.jpg")
    write_csv(
        root,
        "id,gender,race,age,path\n"
        "000001,female,Asian,45,000001_female_Asian_45\n"
        "000002,man,Asian,fifty,000002_male_Asian_52\n"
        "000003,male,Asian,30,000003_male_Asian_30\n"
        "000004,male,Asian,30,000004_male_Asian_30\n"
        "000001,female,Asian,45,images/000001_female_Asian_45\n"
        "000005,male,Asian,30,x.jpg\n",
    )
    problems = problems_of(root)
    assert {kind: [location.partition(":")[0] for location in locations] for kind, locations in problems.items()} == {
        "missing file": ["train.csv row 5"],
        "duplicate image": ["train.csv row 6"],
        "profile folder without images": ["train.csv row 4"],
        "image among profile folders": ["train.csv row 7"],
        "unknown label": ["train.csv row 3"],
        "invalid number": ["train.csv row 3"],
    }


def test_a_duplicate_column_of_the_competitions_csv_is_reported(root: Path) -> None:
    profile(root, "000001_female_Asian_45")
    write_csv(root, "path,label,label\n000001_female_Asian_45,0,1\n")
    assert problems_of(root, attributes={"label": ["0", "1"]}) == {"duplicate column": ["train.csv: label"]}
