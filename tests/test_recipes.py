"""The recipes of docs/data.md, read from the document and run on drawn images in tables and folders of the same shapes.

A recipe has one YAML file of at most ten lines and at most two commands, the last of which leaves report.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from model.errors import InputError
from tests.recipes import commands_of, cook, draw, groups_on_both_sides, recipe, run, section, split, values, write

CLOTHING, GROCERY, FACES, EXPRESSIONS, RADIOGRAPHS = (
    "clothing-dataset",
    "GroceryStoreDataset",
    "All-Age-Faces",
    "facial_expressions",
    "Figure1-COVID-chestxray",
)


@pytest.mark.parametrize("repository", [CLOTHING, GROCERY, FACES, EXPRESSIONS, RADIOGRAPHS])
def test_a_recipe_is_short(repository: str) -> None:
    found = recipe(repository)
    assert isinstance(yaml.safe_load(found.settings), Mapping)
    assert len(found.settings.splitlines()) <= 10
    assert 1 <= len(found.commands) <= 2
    assert any(found.file in words for words in found.commands)


def test_clothing_ids_without_extension_labels_to_drop_and_senders() -> None:
    labels = ["T-Shirt", "Pants", "Dress", "Polo", "Undershirt", "Not sure", "Skip", "Other"]
    rows = [(f"{number:08x}-751a-4b74-8e9b-43af05deee22", number // 4, labels[number % 8]) for number in range(80)]
    absent = [row[0] for row in rows[:5]]
    write(
        "clothing-dataset/images.csv",
        "image,sender_id,label,kids",
        *(f"{name},{sender},{label},{number % 5 == 0}" for number, (name, sender, label) in enumerate(rows)),
    )
    for name, *_ in rows:
        if name not in absent:
            draw(f"clothing-dataset/images/{name}.jpg")
    for number in range(3):
        draw(f"clothing-dataset/images/without-row-{number}.jpg")
    write("clothing-dataset/README.md", "## Clothing dataset")

    model = cook(CLOTHING)
    assert values(model) == {"label": ["Dress", "Pants", "T-Shirt"]}
    images = split()
    expected = {
        f"images/{name}.jpg": "T-Shirt" if label in ("Polo", "Undershirt") else label
        for name, _, label in rows
        if name not in absent and label not in ("Not sure", "Skip", "Other")
    }
    assert images["label"].to_dict() == expected
    assert groups_on_both_sides(images) == set()
    assert set(images.group) == {str(sender) for name, sender, label in rows if f"images/{name}.jpg" in expected}


VARIETIES = {
    "Fruit/Apple/Royal-Gala": ("Fruit", "Apple", "Royal-Gala"),
    "Fruit/Apple/Pink-Lady": ("Fruit", "Apple", "Pink-Lady"),
    "Fruit/Avocado": ("Fruit", "Avocado", "Avocado"),
    "Packages/Milk/Arla/Arla-Standard-Milk": ("Packages", "Milk", "Arla"),
    "Vegetables/Tomato/Vine-Tomato": ("Vegetables", "Tomato", "Vine-Tomato"),
    "Vegetables/Leek": ("Vegetables", "Leek", "Leek"),
    "Vegetables/Brown-Cap-Mushroom": ("Vegetables", "Mushroom", "Brown-Cap-Mushroom"),
}
MUSHROOM_IN_TEST = "Vegetables/Mushroom/Brown-Cap-Mushroom"  # one folder deeper than in train and val


def draw_groceries() -> None:
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        lines = []
        for code, folder in enumerate(VARIETIES):
            if part == "test" and folder == "Vegetables/Brown-Cap-Mushroom":
                folder = MUSHROOM_IN_TEST
            for number in range(count if (part, folder) != ("val", "Vegetables/Leek") else 0):
                path = f"{part}/{folder}/{folder.rpartition('/')[2]}_{number:03}.jpg"
                draw(f"GroceryStoreDataset/dataset/{path}")
                lines.append(f"{path}, {code}, {code}")
        write(f"GroceryStoreDataset/dataset/{part}.txt", *lines)
    for folder in VARIETIES:
        icon = f"GroceryStoreDataset/dataset/iconic-images-and-descriptions/{folder}/icon"
        draw(f"{icon}.jpg")
        write(f"{icon}_Description.txt", "Fresh.")
    write("GroceryStoreDataset/dataset/classes.csv", "Class Name (str),Class ID (int)", "Royal-Gala,0")
    draw("GroceryStoreDataset/sample_images/natural/a.jpg")


def test_groceries_with_split_folders_and_three_levels() -> None:
    draw_groceries()
    model = cook(GROCERY)
    aisles, products, varieties = (sorted({levels[level] for levels in VARIETIES.values()}) for level in range(3))
    assert values(model) == {"aisle": aisles, "product": products, "variety": varieties}
    data = json.loads((model / "metrics.json").read_text(encoding="utf-8"))["data"]
    assert (data["train"]["pictures"], data["validation"]["pictures"]) == (28, 12)

    # The test folder is predicted and scored by the two commands under "Test data"
    for words in commands_of(section("Test data")):
        run([word.replace("DIR", "GroceryStoreDataset/dataset").replace("runs/first", str(model)) for word in words])
    evaluation = json.loads(Path("output/evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["rarebird"]["pictures"] == 14
    assert Path("output/report.html").is_file()


def test_the_error_for_the_root_of_the_groceries_names_the_folders_to_use() -> None:
    draw_groceries()
    root = "GroceryStoreDataset/dataset"
    with pytest.raises(InputError, match=f"--train_dir {root}/train --validation_dir {root}/val"):
        run(["train.py", "--train_dir", root])


def test_faces_with_age_and_gender_in_the_file_name() -> None:
    people = [(number, age) for number, age in zip([*range(30), *range(7380, 7410)], [2, 29, 30, 59, 60, 80] * 10)]
    for folder in ("original images", "aglined faces"):
        for number, age in people:
            draw(f"All-Age-Faces-Dataset/All-Age-Faces Dataset/{folder}/{number:05}A{age:02}.jpg")
    lists = "All-Age-Faces-Dataset/All-Age-Faces Dataset/image sets/train.txt"
    write(lists, *(f"{number:05}A{age:02}.jpg {int(number >= 7381)}" for number, age in people))

    model = cook(FACES)
    assert values(model) == {"age": ["under 30", "30 to 59", "60 and over"], "gender": ["female", "male"]}
    images = split()
    bands = {2: "under 30", 29: "under 30", 30: "30 to 59", 59: "30 to 59", 60: "60 and over", 80: "60 and over"}
    names = {f"{number:05}A{age:02}.jpg": (number, age) for number, age in people}
    assert images.age.to_dict() == {name: bands[age] for name, (_, age) in names.items()}
    assert images.gender.to_dict() == {name: "male" if n >= 7381 else "female" for name, (n, _) in names.items()}


def test_expressions_in_mixed_case_from_a_table_in_a_folder(caplog: pytest.LogCaptureFixture) -> None:
    spellings = ["happiness", "HAPPINESS", "happiness", "sadness", "SADNESS", "sadness", "neutral", "neutral"]
    rows = [
        (f"Person_{chr(65 + person)}_{number:04}.jpg", spellings[(person + number) % 8])
        for person in range(20)
        for number in (1, 2, 12)
    ]
    others = [
        ("Absent_0001.jpg", "neutral"),
        ("Twice_0001.jpg", "happiness"),
        ("Twice_0001.jpg", "HAPPINESS"),
        ("Unsure_30.jpg", "SURPRISE"),
        ("Unsure_30.jpg", "SADNESS"),
        ("Cold_0001.jpg", "contempt"),
        ("facial-expressions_2868585k.jpg", "neutral"),
    ]
    rows += others
    write(
        "facial_expressions/data/legend.csv",
        "user.id,image,emotion",
        *(f"dwdii,{name},{label}" for name, label in rows),
    )
    write("facial_expressions/data/500_picts_satz.csv", "906,Person_A_0001.jpg,fear")
    for name in {name for name, _ in rows} - {"Absent_0001.jpg"}:
        draw(f"facial_expressions/images/{name}")
    draw("facial_expressions/images/Without_Row_0001.jpg")
    draw("facial_expressions/test/108a.jpg")
    write("facial_expressions/python/dwdii.py", "pass")

    model = cook(EXPRESSIONS)
    # SURPRISE occurs in one row, whose image has another label in the next
    assert set(values(model)["emotion"]) - {"SURPRISE"} == {"happiness", "neutral", "sadness"}
    images = split()
    left_out = {"Absent_0001.jpg", "Unsure_30.jpg", "Cold_0001.jpg"}
    assert images.emotion.to_dict() == {f"images/{name}": label.lower() for name, label in rows if name not in left_out}
    assert groups_on_both_sides(images) == set()
    assert {"Person_C", "Twice", "facial-expressions"} <= set(images.group)


def test_radiographs_in_cp1252_with_missing_labels_and_ages() -> None:
    findings = ["COVID-19", "COVID-19", "", "No finding", "COVID-19", "Pneumonia"]
    ages = ["33", "50+", "", "early 40s", "67+", "mid 50s"]
    rows = [
        (f"COVID-{patient:05}{letter}", findings[patient % 6], ages[(patient // 2) % 6])
        for patient in range(1, 37)
        for letter in (("a", "b") if patient % 4 == 0 else ("",))
    ]
    note = "Fever 38° + cough, O2 in low 90’s"
    header = (
        "patientid,offset,sex,age,finding,survival,temperature,pO2 saturation,view,modality,artifacts/distortion,notes"
    )
    lines = [f'{name},,M,{age},{finding},,,,,X-ray,,"{note}"' for name, finding, age in rows]
    write("Figure1-COVID-chestxray-dataset/metadata.csv", header, *lines, encoding="cp1252")
    for number, (name, *_) in enumerate(rows):
        draw(f"Figure1-COVID-chestxray-dataset/images/{name}.{'png' if number % 9 == 0 else 'jpg'}")

    model = cook(RADIOGRAPHS)
    assert values(model) == {"finding": ["COVID-19", "other"], "age": ["under 50", "50 and over"]}
    images = split()
    stems = images.index.str.extract(r"images/(.*)\.", expand=False)
    merged = {"No finding": "other", "Pneumonia": "other"}
    expected = {name: merged.get(finding, finding) for name, finding, _ in rows if finding}
    assert dict(zip(stems, images.finding)) == expected
    bands = {
        "33": "under 50",
        "early 40s": "under 50",
        "50+": "50 and over",
        "67+": "50 and over",
        "mid 50s": "50 and over",
    }
    known = {name: bands[age] for name, finding, age in rows if finding and age}
    assert {name: age for name, age in zip(stems, images.age) if name in known} == known
    assert groups_on_both_sides(images) == set()
    assert set(images.group) == {name.rstrip("ab") for name in expected}
