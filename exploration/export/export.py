"""`python -m exploration export`: writes the labels of a channel, with corrections, for training or another tool."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exploration.channels import ExploredChannel, read_labelled, require_writable
from model.attributes import band_names
from model.data.readers.columns import GROUP_COLUMNS
from model.errors import InputError, Problems
from model.labels import mask_scheme
from model.settings.cli import from_flags
from model.settings.fields import setting

if TYPE_CHECKING:
    from model.data.table import Table

USAGE = """python -m exploration export CHANNEL --output FILE [--corrections FILE] [--format NAME] [--suspects FILE]
    [--FLAG VALUE ...]

Writes the labels of a channel, with the corrections of a review, as a CSV that train.py reads, or as a file that
another tool imports. Images that were deleted in the review are left out. No image is copied or changed.

    python -m exploration export data/train --corrections corrections.csv --output data/train/clean.csv
    python train.py --train_dir data/train --table clean.csv
    python -m exploration export data/train --format fiftyone --suspects suspects.csv --output labels.json"""

SUFFIXES = {"csv": ".csv", "fiftyone": ".json", "labelstudio": ".json", "lightly": ".json"}


@dataclass(frozen=True)
class ExportSettings(ExploredChannel):
    channel: str = setting("", "folder of images and labels", section="Export", positional=True)
    output: str = setting("", "file to write", placeholder="FILE")
    format: str = setting(
        "csv",
        "csv: path, class, group, and a column per attribute, for train.py --table; fiftyone: labels of a "
        "FiftyOneImageClassificationDataset; labelstudio: tasks, and next to them the labelling interface (.xml); "
        "lightly: labels and metadata by path, for LightlyStudio",
        choices=tuple(SUFFIXES),
    )
    suspects: str | None = setting(
        None,
        "add the score and the suggested label of each suspect of this file, from `python -m exploration noise`",
        placeholder="FILE",
    )
    image_url: str | None = setting(
        None,
        "for labelstudio: what precedes the path of an image in its URL",
        unset="/data/local-files/?d= and the name of the channel's folder, whose parent is LOCAL_FILES_DOCUMENT_ROOT",
        placeholder="URL",
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from self.reading_contradictions()
        if not self.channel:
            yield "no channel; the first word is its folder, as in `python -m exploration export data/train`"
        if not self.output:
            yield f"no output; set the file to write, as in --output clean{SUFFIXES[self.format]}"
        elif Path(self.output).suffix.lower() != SUFFIXES[self.format]:
            yield f"output {self.output}: format {self.format} is a file with the extension {SUFFIXES[self.format]}"


def main(argv: Sequence[str]) -> int:
    """Writes the file and prints how to use it."""
    settings = from_flags(ExportSettings, argv, USAGE)
    from exploration.export.exported_images import ExportedImages, suspicions_by_row
    from exploration.export.formats import FORMATS
    from model.cleaning.suspects import read_suspects

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    require_writable("output", settings.output)
    table = read_labelled(settings, Path(settings.channel))
    output = Path(settings.output)
    refuse_own_table(table, output)
    # corrections may have deleted some of the suspect images
    suspects = read_suspects(Path(settings.suspects), table, skip_missing=True) if settings.suspects else []
    url = settings.image_url or f"/data/local-files/?d={table.root.absolute().name}/"
    problems = Problems(f"format {settings.format}")
    FORMATS[settings.format](ExportedImages(table, suspicions_by_row(suspects), url), output, problems)
    problems.raise_if_any()
    print(f"wrote {output}: {len(table):,} images")
    if settings.format == "csv":
        is_inside = output.resolve().parent == table.root.resolve()
        first = "" if is_inside else f" copy it into {settings.channel}, then"
        print(f"to train with it:{first} {shlex.join(training_command(table, settings, output))}")
    return 0


def refuse_own_table(table: Table, output: Path) -> None:
    """Raises InputError if the output is the file that the labels were read from, which must stay as it is."""
    folder, root = output.resolve().parent, table.root.resolve()
    own = (folder / output.name).relative_to(root).as_posix() if folder.is_relative_to(root) else ""
    if own and table.source.endswith(f" {own}"):
        raise InputError(f"output {output}: the labels were read from this file; choose another name")


def attribute_forms(table: Table) -> dict[str, dict[str, Any]]:
    """The setting `attributes` by which training reads the exported CSV like the table; {} if it needs none.

    Args:
        table: The exported images.
    """
    from model.label_values import found_names

    forms: dict[str, dict[str, Any]] = {}
    for one in table.scheme.attributes:
        codes = table.labels[one.name].to_numpy()
        form: dict[str, Any] = {}
        if one.cuts:
            form["cuts"] = [int(cut) if cut.is_integer() else cut for cut in one.cuts]
            if one.values != band_names(one.cuts):
                form["names"] = list(one.values)
        elif found_names(one.values[code] for code in sorted(set(codes[codes >= 0].tolist()))) != one.values:
            form["values"] = list(one.values)  # in another order, or some do not occur
        if one.optional:
            form["optional"] = True
        forms[one.name] = form
    usual = {one.name: (one.values, one.cuts) for one in mask_scheme().attributes}
    if {one.name: (one.values, one.cuts) for one in table.scheme.attributes} == usual:
        return {}
    if list(forms.items()) == [("label", {})]:
        return {}
    if len(forms) == 1 and not table.scheme.attributes[0].cuts:
        forms = {name: {"column": "class", **form} for name, form in forms.items()}
    return forms


def training_command(table: Table, settings: ExportSettings, output: Path) -> list[str]:
    """The command that trains on the exported CSV.

    Args:
        table: The exported images.
        settings: Settings of the export.
        output: The CSV, which has to lie in the channel.
    """
    command = ["python", "train.py", "--train_dir", settings.channel, "--table", output.name]
    forms = attribute_forms(table)
    if forms:
        command += ["--attributes", json.dumps(forms, ensure_ascii=False)]
    if table.grouped_by and table.grouped_by not in GROUP_COLUMNS:
        command += ["--group_column", table.grouped_by]
    return command
