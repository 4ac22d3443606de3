"""Demo data set: draws images of invented faces, by a seed, in one of three layouts.

    competition   OUT/train/images/<id>_<gender>_<race>_<age>/{mask1 ... mask5, incorrect_mask, normal}.jpg
                  OUT/eval/images/<40 hex digits>.jpg, OUT/eval/info.csv, and the ground truth in OUT/gt/gt.csv
    folders       OUT/{train,val,test}/{worn,incorrect,none}/<id>_<kind>.jpg
    table         OUT/{train,test}/labels.csv (file,person,mask,gender,age) and OUT/{train,test}/images/<id>_<kind>.jpg

Seven images per person; each person is in one part only. The shares of masks, genders and ages are about those of the
mask competition. With --flaws, wrong labels, near-duplicates and bad images are planted (demo_flaws).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from exploration.portrait import Portrait
from model.answers.files import TRUTH
from model.errors import InputError
from model.labels import mask_scheme
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = (
    "python -m exploration demo [--output DIR] [--FLAG VALUE ...]\n\nDraws images of invented faces, with their labels."
)
MARKER = "Drawn by `python -m exploration demo`"  # first words of README.txt; a folder without it is never replaced

KINDS = {f"mask{i}": "worn" for i in range(1, 6)} | {"incorrect_mask": "incorrect", "normal": "none"}
# Shares of the competition's persons. No age is within 1.5 years of 30 or 60, where drawings do not differ visibly.
BANDS = ((18, 28, 0.45), (32, 57, 0.48), (62, 70, 0.07))  # first and last age, share of the persons
WOMEN = 0.53
RACE = "drawn"  # a part of the folders' names
LAYOUTS = ("competition", "folders", "table")
VALIDATION_SHARE = 0.15  # of the persons to learn from, in the layout folders
EXTENSIONS = (".jpg", ".jpeg", ".png")
EXTENSION_SHARES = (0.87, 0.11, 0.02)  # of the competition's training images


@dataclass(frozen=True)
class DemoSettings:
    output: str = setting(
        "", "output folder; one from an earlier call is replaced", section="Data set",
        unset="demo/data, with --flaws demo/flaws", placeholder="DIR",
    )  # fmt: skip
    layout: str = setting(
        "competition", "competition: profile folders, info.csv and gt.csv; folders: train, val and test with class "
        "folders; table: a CSV with several attributes", choices=LAYOUTS,
    )  # fmt: skip
    persons: int = setting(300, "persons to learn from, seven images each", low=12)
    eval_persons: int = setting(160, "other persons to test on, seven images each", low=12)
    size: list[int] = setting([96, 128], "width and height of an image", unit="pixels", low=16, high=2048)
    seed: int = setting(0, "seed of the random numbers", low=0)
    flaws: bool = setting(
        False, "plant wrong labels, near-duplicates and bad images, and list them in flaws.csv of the output folder"
    )

    @property
    def folder(self) -> str:
        """The output folder."""
        return self.output or ("demo/flaws" if self.flaws else "demo/data")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if len(self.size) != 2:
            yield f"size: expected two numbers, width and height, not {len(self.size)}"


@dataclass(frozen=True)
class Person:
    """A person of the data set.

    Attributes:
        id: Six digits.
        gender: male or female.
        age: Years.
    """

    id: str
    gender: str
    age: int


def make_persons(count: int, first: int, rng: np.random.Generator) -> list[Person]:
    """Invents persons in random order. At least two of each gender are 60 or older.

    Args:
        count: Number of persons.
        first: Id of the first person.
        rng: Draws ages and the order.
    """
    shares = [share for _, _, share in BANDS]
    old = max(4, round(shares[2] * count))
    young = round(shares[0] * count)
    genders_and_ages = []
    for (low, high, _), number in zip(BANDS, (young, count - young - old, old)):
        women = round(WOMEN * number)
        genders = ["female"] * women + ["male"] * (number - women)
        genders_and_ages += list(zip(genders, rng.integers(low, high + 1, number).tolist()))
    return [Person(f"{first + i:06d}", *genders_and_ages[k]) for i, k in enumerate(rng.permutation(count))]


def draw_demo(settings: DemoSettings) -> dict[str, Sequence[Person]]:
    """Draws the data set into settings.folder: first into a hidden folder next to it, which is then renamed.

    Returns:
        The persons of each part: train and eval, or those of the layout.

    Raises:
        InputError: settings.folder is neither empty nor from an earlier run, or it cannot be written.
    """
    output = Path(settings.folder).resolve()
    partial = output.parent / f".{output.name}.partial"
    for folder in (output, partial):
        if folder.is_symlink() or (folder.exists() and not replaceable(folder)):
            raise InputError(
                f"output {folder}: already exists and was not created by `python -m exploration demo`; "
                "choose another --output or remove the folder"
            )
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        (partial / "README.txt").write_text(f"{MARKER}, which replaces this folder when called again.\n", "utf-8")
    except OSError as error:
        raise InputError(f"output {settings.folder}: cannot be written: {error.strerror}") from None
    rng = np.random.default_rng(settings.seed)
    learn, test = make_persons(settings.persons, 1, rng), make_persons(settings.eval_persons, settings.persons + 1, rng)
    try:
        people = WRITERS[settings.layout](partial, learn, test, settings)
        if settings.flaws:
            from exploration.demo_flaws import plant_flaws

            plant_flaws(partial, settings, people)
        if output.exists():
            shutil.rmtree(output)
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return people


def replaceable(folder: Path) -> bool:
    """Whether a folder is empty or was created by an earlier run of this command."""
    if not folder.is_dir():
        return False
    readme = folder / "README.txt"
    return not any(folder.iterdir()) or (readme.is_file() and readme.read_text("utf-8", "replace").startswith(MARKER))


def draw_images(person: Person, settings: DemoSettings) -> Iterator[tuple[str, Image.Image, np.random.Generator]]:
    """Yields kind, image and random generator of each image. They depend only on the seed and the person."""
    rng = np.random.default_rng([settings.seed, int(person.id)])
    width, height = settings.size
    portrait = Portrait(person.gender, person.age, (width, height), rng)
    for number, (kind, mask) in enumerate(KINDS.items()):
        yield kind, portrait.picture(mask, number), rng


def save(picture: Image.Image, path: Path, rng: np.random.Generator) -> None:
    """Writes a JPEG with a random quality between 55 and 94, or a PNG, depending on the extension."""
    picture.save(path, quality=int(rng.integers(55, 95)))


def write_competition(
    folder: Path, learn: Sequence[Person], test: Sequence[Person], settings: DemoSettings
) -> dict[str, Sequence[Person]]:
    """Draws the channels train and eval, and writes the ground truth of eval."""
    write_train(folder / "train" / "images", learn, settings)
    write_eval(folder, test, settings)
    return {"train": learn, "eval": test}


def write_train(images: Path, persons: Sequence[Person], settings: DemoSettings) -> None:
    """Draws the profile folders of the channel train."""
    for person in persons:
        folder = images / f"{person.id}_{person.gender}_{RACE}_{person.age}"
        folder.mkdir(parents=True)
        for kind, picture, rng in draw_images(person, settings):
            save(picture, folder / (kind + rng.choice(EXTENSIONS, p=EXTENSION_SHARES)), rng)


def write_eval(folder: Path, persons: Sequence[Person], settings: DemoSettings) -> None:
    """Draws the images of the channel eval and writes info.csv, with 0 in the column ans, and gt.csv."""
    import pandas as pd  # imported here and below, so that --help does not wait for it

    scheme, rows = mask_scheme(), []
    mask, gender, age = scheme.attributes
    (folder / "eval" / "images").mkdir(parents=True)
    (folder / "gt").mkdir()
    for person in persons:
        for kind, picture, rng in draw_images(person, settings):
            name = rng.bytes(20).hex() + ".jpg"
            save(picture, folder / "eval" / "images" / name, rng)
            codes = {
                "mask": mask.values.index(KINDS[kind]),
                "gender": gender.values.index(person.gender),
                "age": age.band(person.age),
            }
            rows.append((name, scheme.joint(codes), person.id))
    order = np.random.default_rng(settings.seed).permutation(len(rows))
    truth = pd.DataFrame([rows[i] for i in order], columns=["ImageID", "ans", "person"])
    truth.to_csv(folder / "gt" / TRUTH, index=False)
    truth[["ImageID"]].assign(ans=0).to_csv(folder / "eval" / "info.csv", index=False)


def write_folders(
    folder: Path, learn: Sequence[Person], test: Sequence[Person], settings: DemoSettings
) -> dict[str, Sequence[Person]]:
    """Draws train, val and test, each with a folder per class; the class is how the mask is worn."""
    first_of_val = round(len(learn) * (1 - VALIDATION_SHARE))
    parts = {"train": learn[:first_of_val], "val": learn[first_of_val:], "test": test}
    for part, persons in parts.items():
        for person in persons:
            for kind, image, rng in draw_images(person, settings):
                class_folder = folder / part / KINDS[kind]
                class_folder.mkdir(parents=True, exist_ok=True)
                save(image, class_folder / f"{person.id}_{kind}.jpg", rng)
    return parts


def write_table(
    folder: Path, learn: Sequence[Person], test: Sequence[Person], settings: DemoSettings
) -> dict[str, Sequence[Person]]:
    """Draws train and test, each with labels.csv, which has a row per image and a column per attribute."""
    import pandas as pd

    parts = {"train": learn, "test": test}
    for part, persons in parts.items():
        (folder / part / "images").mkdir(parents=True)
        rows = []
        for person in persons:
            for kind, image, rng in draw_images(person, settings):
                name = f"{person.id}_{kind}.jpg"
                save(image, folder / part / "images" / name, rng)
                rows.append((name, person.id, KINDS[kind], person.gender, person.age))
        table = pd.DataFrame(rows, columns=["file", "person", "mask", "gender", "age"])
        table.to_csv(folder / part / "labels.csv", index=False)
    return parts


WRITERS = dict(zip(LAYOUTS, (write_competition, write_folders, write_table)))


def main(argv: Sequence[str]) -> int:
    """Draws the data set and prints its size."""
    settings = from_flags(DemoSettings, argv, USAGE)
    for side, persons in draw_demo(settings).items():
        bands = [sum(low <= person.age <= high for person in persons) for low, high, _ in BANDS]
        print(
            f"{settings.folder}/{side}: {len(persons):,} persons, {len(persons) * len(KINDS):,} images; "
            f"under 30: {bands[0]:,}, 30 to 59: {bands[1]:,}, 60 and over: {bands[2]:,} persons"
        )
    if settings.flaws:
        print(f"{settings.folder}/flaws.csv: the planted flaws")
    return 0
