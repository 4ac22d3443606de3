"""Plants flaws in a drawn data set: wrong labels, near-duplicates and bad images, and writes which they are.

flaws.csv, outside the channels, has a row per flaw: part, path (relative to the part), person, kind, attribute, given,
true, and original (the image that was copied, with its part). Kinds: gender, age, swapped, copy, broken, dark, blurred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from exploration.altered_copies import CHANGES, altered_copy
from exploration.demo import BANDS, KINDS, RACE, DemoSettings, Person
from model.answers.files import TRUTH
from model.labels import mask_scheme

FLAWS_CSV = "flaws.csv"
COLUMNS = ("part", "path", "person", "kind", "attribute", "given", "true", "original")
WRONG_SHARE = 0.09  # of the persons to learn from: a third each with a wrong gender, another age, swapped images
COPY_SHARE = 0.02  # of the images to learn from
ACROSS_SHARE, RELABELLED_SHARE = 0.4, 0.25  # of the copies: to the test images, with another label
BAD_IMAGES = 3  # of each of broken, dark, blurred
LEAST_YEARS, MOST_YEARS = 15, 30  # by which an age is off
OTHER_KIND = {"worn": "normal", "incorrect": "mask1", "none": "mask1"}  # another label for a copy, by mask


@dataclass
class DrawnImage:
    """An image of the drawn data set.

    Attributes:
        part: Name of its folder: train, eval, val or test.
        path: Path in the part.
        person: The person; gender and age are those drawn.
        kind: Its kind (KINDS), as named.
    """

    part: str
    path: str
    person: Person
    kind: str


@dataclass
class Flaw:
    """A row of flaws.csv."""

    part: str
    path: str
    person: str
    kind: str
    attribute: str = ""
    given: str = ""
    true: str = ""
    original: str = ""


class FlawedData:
    """The data set in a folder, and the changes that flaws make to it.

    Args:
        folder: Folder of the drawn data set.
        layout: Its layout.
        people: Persons of each part.
    """

    def __init__(self, folder: Path, layout: str, people: dict[str, Sequence[Person]]) -> None:
        self.folder, self.layout = folder, layout
        self.images = [image for person in people["train"] for image in self._of(person)]
        self.test_part = "eval" if layout == "competition" else "test"
        self.next_id = 1 + max(int(person.id) for persons in people.values() for person in persons)
        self.flaws: list[Flaw] = []

    def _of(self, person: Person) -> list[DrawnImage]:
        """The images of a person to learn from."""
        if self.layout == "competition":
            folder = self.folder / "train" / "images" / profile(person)
            return [DrawnImage("train", f"images/{folder.name}/{path.name}", person, path.stem)
                    for path in sorted(folder.iterdir())]  # fmt: skip
        below = {"folders": lambda kind: KINDS[kind], "table": lambda kind: "images"}[self.layout]
        return [DrawnImage("train", f"{below(kind)}/{person.id}_{kind}.jpg", person, kind) for kind in KINDS]

    def file(self, image: DrawnImage) -> Path:
        """The file of an image."""
        return self.folder / image.part / image.path

    def add(self, image: DrawnImage, kind: str, attribute: str = "", given: str = "", true: str = "",
            original: str = "") -> None:  # fmt: skip
        """Adds a row of flaws.csv."""
        self.flaws.append(Flaw(image.part, image.path, image.person.id, kind, attribute, given, true, original))

    def relabel(self, person: Person, attribute: str, given: str) -> None:
        """Gives all images of a person another gender or age."""
        images = [image for image in self.images if image.person == person]
        changed = Person(person.id, given, person.age) if attribute == "gender" else (
            Person(person.id, person.gender, int(given)))  # fmt: skip
        if self.layout == "competition":
            (self.folder / "train" / "images" / profile(person)).rename(
                self.folder / "train" / "images" / profile(changed)
            )
        else:
            table = self._table("train")
            table.loc[table["person"] == person.id, attribute] = given
            self._write_table("train", table)
        for image in images:
            image.path = image.path.replace(profile(person), profile(changed))
            self.add(image, attribute, attribute, given, str(getattr(person, attribute)))

    def swap(self, first: DrawnImage, second: DrawnImage) -> None:
        """Swaps the files of two images of a person. An image keeps its extension, as in the format of its file."""
        files = self.file(first), self.file(second)
        contents = [file.read_bytes() for file in files]
        for image, file, content, suffix in zip(
            (first, second), files, reversed(contents), (files[1].suffix, files[0].suffix)
        ):
            file.unlink()
            file.with_suffix(suffix).write_bytes(content)
            image.path = str(Path(image.path).with_suffix(suffix))
        for image, other in ((first, second), (second, first)):
            self.add(image, "swapped", "mask", KINDS[image.kind], KINDS[other.kind])

    def copy(self, source: DrawnImage, part: str, kind: str, content: bytes, rng: np.random.Generator) -> None:
        """Adds an altered copy of an image as the only image of a new person.

        Args:
            source: The image.
            part: Part that the copy is added to.
            kind: Kind of the copy, which is its label.
            content: The file of the copy.
            rng: Draws the name in eval.
        """
        person = Person(f"{self.next_id:06d}", source.person.gender, source.person.age)
        self.next_id += 1
        path = f"images/{person.id}_{kind}.jpg"
        if part == "eval":
            path = f"images/{rng.bytes(20).hex()}.jpg"
            self._add_to_eval(Path(path).name, person, kind)
        elif self.layout == "competition":
            path = f"images/{profile(person)}/{kind}.jpg"
        elif self.layout == "folders":
            path = f"{KINDS[kind]}/{person.id}_{kind}.jpg"
        else:
            row = (Path(path).name, person.id, KINDS[kind], person.gender, person.age)
            table = self._table(part)
            self._write_table(part, pd.concat([table, pd.DataFrame([row], columns=table.columns)]))
        image = DrawnImage(part, path, person, kind)
        self.file(image).parent.mkdir(parents=True, exist_ok=True)
        self.file(image).write_bytes(content)
        self.add(image, "copy", "mask", KINDS[kind], KINDS[source.kind], f"{source.part}/{source.path}")

    def _table(self, part: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / part / "labels.csv", dtype=str)

    def _write_table(self, part: str, table: pd.DataFrame) -> None:
        table.to_csv(self.folder / part / "labels.csv", index=False)

    def _add_to_eval(self, name: str, person: Person, kind: str) -> None:
        """Adds rows of info.csv and of the ground truth."""
        mask, gender, age = (attribute for attribute in mask_scheme().attributes)
        codes = {"mask": mask.values.index(KINDS[kind]), "gender": gender.values.index(person.gender)}
        joint = mask_scheme().joint(codes | {"age": age.band(person.age)})
        for file, row in (("eval/info.csv", (name, 0)), (f"gt/{TRUTH}", (name, joint, person.id))):
            with (self.folder / file).open("a", encoding="utf-8", newline="") as table:
                table.write(",".join(map(str, row)) + "\n")


def profile(person: Person) -> str:
    """Name of a person's folder in the layout competition."""
    return f"{person.id}_{person.gender}_{RACE}_{person.age}"


def plant_flaws(folder: Path, settings: DemoSettings, people: dict[str, Sequence[Person]]) -> list[Flaw]:
    """Plants wrong labels, near-duplicates and bad images in a drawn data set, and writes flaws.csv.

    Args:
        folder: Folder of the data set.
        settings: As it was drawn; their seed also draws the flaws.
        people: Persons of each part.
    """
    rng = np.random.default_rng([settings.seed, 1])
    data = FlawedData(folder, settings.layout, people)
    persons = list(people["train"])
    chosen = [persons[row] for row in rng.permutation(len(persons))]
    _plant_wrong_labels(data, chosen[: max(3, round(WRONG_SHARE * len(persons)))], rng)
    wrong = {flaw.person for flaw in data.flaws}
    images = [image for image in data.images if image.person.id not in wrong]
    images = [images[row] for row in rng.permutation(len(images))]
    copies = max(len(CHANGES), round(COPY_SHARE * len(data.images)))
    _plant_copies(data, images[:copies], rng)
    _plant_bad_images(data, images[copies : copies + 3 * BAD_IMAGES])
    table = pd.DataFrame([vars(flaw) for flaw in data.flaws], columns=list(COLUMNS))
    table.to_csv(folder / FLAWS_CSV, index=False)
    return data.flaws


def _plant_wrong_labels(data: FlawedData, persons: Sequence[Person], rng: np.random.Generator) -> None:
    """Gives each person one wrong label: gender, age, or two swapped images, in turn."""
    for number, person in enumerate(persons):
        kind = number % 3 if data.layout != "folders" else 2  # class folders have no gender and age
        if kind == 0:
            data.relabel(person, "gender", "male" if person.gender == "female" else "female")
        elif kind == 1:
            first, last = BANDS[0][0], BANDS[-1][1]
            years = [age for age in range(first, last + 1) if LEAST_YEARS <= abs(age - person.age) <= MOST_YEARS]
            data.relabel(person, "age", str(years[rng.integers(len(years))]))
        else:
            own = {image.kind: image for image in data.images if image.person == person}
            data.swap(own[f"mask{1 + rng.integers(5)}"], own[("normal", "incorrect_mask")[rng.integers(2)]])


def _plant_copies(data: FlawedData, sources: Sequence[DrawnImage], rng: np.random.Generator) -> None:
    """Adds an altered copy of each image, to the test images or as another person to learn from."""
    for number, source in enumerate(sources):
        with Image.open(data.file(source)) as image:
            content = altered_copy(image.convert("RGB"), CHANGES[number % len(CHANGES)], rng)
        part = data.test_part if number < ACROSS_SHARE * len(sources) else "train"
        is_relabelled = rng.random() < RELABELLED_SHARE or number in (0, len(sources) - 1)
        kind = OTHER_KIND[KINDS[source.kind]] if is_relabelled else source.kind
        data.copy(source, part, kind, content, rng)


def _plant_bad_images(data: FlawedData, images: Sequence[DrawnImage]) -> None:
    """Breaks, darkens or blurs each image, in turn."""
    for number, image in enumerate(images):
        kind, file = ("broken", "dark", "blurred")[number % 3], data.file(image)
        if kind == "broken":
            content = file.read_bytes()
            file.write_bytes(content[: len(content) // 3])
        else:
            with Image.open(file) as opened:
                changed = opened.point(lambda value: value // 9) if kind == "dark" else opened.filter(
                    ImageFilter.GaussianBlur(opened.width / 16))  # fmt: skip
            changed.save(file, quality=90)
        data.add(image, kind)
