"""`python -m exploration audit`: draws a random sample of groups to review, and estimates the wrong labels from it."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exploration.channels import ExploredChannel, next_command, read_labelled, require_writable
from model.atomic_write import write_csv, write_json
from model.errors import InputError, Problems, did_you_mean, listing, nearest_path
from model.settings.cli import from_flags
from model.settings.fields import setting

if TYPE_CHECKING:
    from model.cleaning.audit import AuditResult
    from model.data.corrections import Correction
    from model.data.table import Table

USAGE = """python -m exploration audit CHANNEL [N] [--output audit.csv] [--seed 0]
python -m exploration audit CHANNEL --sample audit.csv --corrections corrections.csv

How many labels are wrong? The first command draws N groups (default 100) at random, images if the channel has no
groups. Review all of them: python -m exploration review CHANNEL --audit audit.csv. The second command estimates the
share of wrong labels of each attribute, and how many are still unseen after the review of suspects in the same
corrections.csv, with 95 % intervals."""

log = logging.getLogger("rarebird")

AUDIT_COLUMNS = ("path", "group")
GROUPS = 100  # groups of a sample, unless N says otherwise


@dataclass(frozen=True)
class AuditSettings(ExploredChannel):
    """Settings of the audit."""

    channel: list[str] = setting(
        [],
        "Folder of images and labels, then the number of groups (of images, without groups) of the sample",
        unset=f"{GROUPS} groups",
        section="Audit",
        positional=True,
        common=True,
    )
    output: str = setting("audit.csv", "File to write the sample to", common=True, placeholder="FILE")
    seed: int = setting(
        0,
        "Seed of the sample. A larger sample with the same seed begins with the smaller one",
        low=0,
        common=True,
    )
    sample: str | None = setting(
        None,
        "Estimate from the review of this sample, with the decisions in --corrections, instead of drawing one",
        common=True,
        placeholder="FILE",
    )
    json: str | None = setting(None, "JSON file to write the estimates to", common=True, placeholder="FILE")

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        yield from self.reading_contradictions()
        words = self.channel
        if not words or len(words) > 2:
            yield "expected a channel and a number of groups, for example: python -m exploration audit data/train 100"
        elif len(words) == 2 and not (words[1].isascii() and words[1].isdigit() and int(words[1])):
            yield f"channel: the number of groups is {words[1]!r}, expected a whole number of at least 1"
        if self.sample and not self.corrections:
            yield "sample requires corrections: the file in which the review saved its decisions"
        if self.corrections and not self.sample:
            yield "corrections requires sample: the audit.csv that was reviewed"
        if self.json and not self.sample:
            yield "json is written only with --sample and --corrections"


def main(argv: Sequence[str]) -> int:
    settings = from_flags(AuditSettings, argv, USAGE)
    channel = Path(settings.channel[0])
    for name in ("json",) if settings.sample else ("output",):
        if getattr(settings, name):
            require_writable(name, getattr(settings, name))
    table = read_labelled(replace(settings, corrections=None), channel)  # the labels as they were reviewed
    if settings.sample:
        from model.data.correction_files import log_path

        corrections = log_path(settings.corrections or "", channel)
        result = estimate(table, Path(settings.sample), corrections, settings.encoding)
        print("\n".join(result.sentences()))
        if settings.json:
            write_json(Path(settings.json), result.to_dict())
            print(f"wrote {settings.json}")
        return 0
    from model.cleaning.audit import draw_sample

    size = int(settings.channel[1]) if len(settings.channel) > 1 else GROUPS
    sample = draw_sample(table.groups, size, settings.seed)
    write_sample(table, sample, Path(settings.output))
    units = "groups" if table.grouped_by else "images"
    total = len(set(table.groups))
    print(f"wrote {settings.output}: {len(sample):,} of {total:,} {units}, drawn at random (seed {settings.seed})")
    print(next_command(["review", str(channel), "--audit", settings.output], settings))
    return 0


def estimate(table: Table, sample: Path, corrections: Path, encoding: str = "utf-8") -> AuditResult:
    """The estimates from the review of a sample.

    Args:
        table: The channel with its labels as they were reviewed.
        sample: The audit.csv.
        corrections: The log of the review.
        encoding: Encoding of the log.

    Raises:
        InputError: Lists all problems of both files.
    """
    from model.cleaning.audit import Audit
    from model.data.corrections import effective, read_corrections

    problems = Problems(str(corrections))
    log_rows = read_corrections(corrections, problems, encoding)
    groups = read_sample(sample, table, problems)
    audit = Audit(table, groups)
    elsewhere = audit.judge.elsewhere(log_rows)
    if elsewhere:
        _report_elsewhere(elsewhere, len(elsewhere) == len(effective(log_rows)), corrections, problems)
    problems.raise_if_any()
    return audit.result(log_rows)


def _report_elsewhere(rows: Sequence[Correction], is_all: bool, corrections: Path, problems: Problems) -> None:
    """A warning about rows of the log that the audit ignores; a problem if these are all.

    Args:
        rows: Rows in force of images and groups that the channel does not have.
        is_all: Whether there are no others.
        corrections: The log.
        problems: Collects them if these are all.
    """
    texts = [f"line {row.line}: {row.subject}" for row in rows]
    for text in texts if is_all else ():
        problems.add("images or groups that the channel does not have", f"{corrections} {text}")
    if not is_all:
        log.warning(
            "%s: %s rows are for images or groups that the channel does not have, and are ignored: %s",
            *(corrections, f"{len(rows):,}", listing(texts, 3)),
        )


def write_sample(table: Table, sample: Sequence[str], path: Path) -> None:
    """Writes audit.csv: the images of the sampled groups, in the order of the sample.

    Args:
        table: The channel.
        sample: Names of the groups.
        path: The file. If it exists, its groups must be the first ones of the sample, as a review may have begun.

    Raises:
        InputError: The file has another sample.
    """
    if path.is_file():
        problems = Problems(str(path))
        before = read_sample(path, table, problems)
        if problems or list(sample[: len(before)]) != before:
            raise InputError(
                f"{path} has another sample, which may be under review; choose another --output, or delete the file"
            )
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(table.groups.tolist()):
        rows.setdefault(group, []).append(row)
    paths = table.locations.paths
    with write_csv(path) as writer:
        writer.writerow(AUDIT_COLUMNS)
        for group in sample:
            for row in rows[group]:
                has_group = table.grouped_by and group != paths[row]
                writer.writerow([paths[row], group if has_group else ""])


def read_sample(path: Path, table: Table, problems: Problems) -> list[str]:
    """The groups of an audit.csv in their order; for an image without a group its path.

    Args:
        path: The file.
        table: The channel that it was drawn from.
        problems: Collects images that the channel does not have.

    Raises:
        InputError: The file cannot be read or lacks a column.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            present = list(reader.fieldnames or ())
            if AUDIT_COLUMNS[0] not in present:
                raise InputError(
                    f"{path}: no column path; expected {','.join(AUDIT_COLUMNS)}, found {listing(present)}"
                )
            listed = [(line, row["path"]) for line, row in enumerate(reader, 2)]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}{nearest_path(path)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: no valid CSV: {error}") from None
    if not listed:
        raise InputError(f"{path}: the sample has no images; python -m exploration audit CHANNEL N draws one")
    group_of_path = dict(zip(table.locations.paths, table.groups.tolist()))
    groups: dict[str, None] = {}
    for line, name in listed:
        if name in group_of_path:
            groups[group_of_path[name]] = None
            continue
        kind = "images that the channel does not have"
        near = did_you_mean(name, group_of_path) if problems.shows_next(kind) and len(group_of_path) < 10_000 else ""
        problems.add(kind, f"{path} line {line}: {name!r}{near}")
    return list(groups)
