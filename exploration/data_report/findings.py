"""What deserves attention in a data set, as sentences with a link to the section of the page that has the details."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exploration.data_report.duplicate_order import ShownPairs
from exploration.data_report.leaks import Leak
from exploration.data_report.report_data import ReportData
from exploration.data_report.summary import FEW_GROUPS, ClassCount, MixedGroup, TargetCounts
from exploration.image_statistics import UnusualImage
from model.errors import listing
from model.evaluation.report.sentences import NOUNS, counted, percent

VALIDATION_SHARE = 0.2  # of train.py's setting validation


@dataclass(frozen=True)
class Finding:
    """A sentence without a period, and the id of its section."""

    sentence: str
    section: str


def group_noun(column: str) -> str:
    """The singular noun for the groups of a column: `person`; an image if there are no groups."""
    return NOUNS.get(column.lower(), "group") if column else "image"


def counted_groups(column: str, count: int) -> str:
    """`1 person`, `12 groups`; images if there are no groups."""
    return counted(count, group_noun(column))


def find(
    data: ReportData,
    targets: Sequence[TargetCounts],
    mixed: Sequence[MixedGroup],
    leaks: Sequence[Leak],
    shown: ShownPairs,
    unusual: Sequence[UnusualImage],
) -> list[Finding]:
    """The findings, the most serious first.

    Args:
        data: The images.
        targets: Counts of the joint class, if there is one, and of the attributes.
        mixed: Groups with several values of an attribute.
        leaks: What splits share.
        shown: Near-duplicates.
        unusual: Images that are unusually dark, blurred and so on.
    """
    column = data.table.grouped_by
    return [
        *_leak_findings(leaks, column),
        *_duplicate_findings(shown, column),
        *_label_findings(data, targets, mixed, column),
        *_class_findings(data, targets, column),
        *([Finding(f"{_images(len(data.skipped))} cannot be read", "broken")] if data.skipped else []),
        *_image_findings(unusual),
    ]


def _leak_findings(leaks: Sequence[Leak], column: str) -> Iterator[Finding]:
    for leak in leaks:
        if leak.copies:
            be = "is" if leak.copies == 1 else "are"
            yield Finding(f"{_images(leak.copies)} of {leak.second} {be} also in {leak.first}", "leaks")
        if leak.groups:
            be = "is" if len(leak.groups) == 1 else "are"
            text = f"{counted_groups(column, len(leak.groups))} {be} in both {leak.first} and {leak.second}"
            yield Finding(text, "leaks")


def _duplicate_findings(shown: ShownPairs, column: str) -> Iterator[Finding]:
    if shown.with_other_label:
        verb = "has" if shown.with_other_label == 1 else "have"
        yield Finding(f"{_pairs(shown.with_other_label)} {verb} different labels", "duplicates")
    if shown.across_splits:
        be = "is" if shown.across_splits == 1 else "are"
        yield Finding(f"{_pairs(shown.across_splits)} {be} in different splits", "duplicates")
    others = sum(not (pair.labels_differ or pair.across_splits) for pair in shown.pairs)
    if others:
        be, have = ("is", "has") if others == 1 else ("are", "have")
        verb = f"{be} of different {group_noun(column)}s, with" if column else have
        yield Finding(f"{_pairs(others)} {verb} the same labels", "duplicates")


def _label_findings(
    data: ReportData, targets: Sequence[TargetCounts], mixed: Sequence[MixedGroup], column: str
) -> Iterator[Finding]:
    for attribute, count in Counter(group.attribute for group in mixed).items():
        verb = "has" if count == 1 else "have"
        yield Finding(f"{counted_groups(column, count)} {verb} more than one value of {attribute}", "labels")
    for target in targets[1:] or targets:
        missing = sum(target.missing[split] for split in data.labelled_splits)
        if missing:
            verb = "has" if missing == 1 else "have"
            yield Finding(f"{_images(missing)} {verb} no label of {target.name}", "labels")


def _class_findings(data: ReportData, targets: Sequence[TargetCounts], column: str) -> Iterator[Finding]:
    joint = targets[0]
    if joint.absent:
        yield Finding(f"{_classes(len(joint.absent))} no image", "classes")
    if joint.few:
        fewest = counted_groups(column, FEW_GROUPS)
        yield Finding(f"{_classes(len(joint.few))} fewer than {fewest}", "few")
    for split in data.labelled_splits[1:]:
        lacking = sum(one.channel_images > 0 and not one.images[split] for one in joint.classes)
        if lacking:
            yield Finding(f"{_classes(lacking)} no image in {data.split_names[split]}", "classes")


def _image_findings(unusual: Sequence[UnusualImage]) -> Iterator[Finding]:
    # the shape of an image is rarely a mistake
    odd = [image for image in unusual if image.kind != "aspect ratio"]
    number = len({image.row for image in odd})
    if number:
        kinds = listing(dict.fromkeys(image.kind for image in odd))
        yield Finding(f"{_images(number)} {'is' if number == 1 else 'are'} unusual ({kinds})", "images")


def few_sentences(few: Sequence[ClassCount], column: str) -> list[tuple[str, str, list[str]]]:
    """For each number of groups of small classes: the number, what it means for scores, and the classes."""
    texts, noun = [], group_noun(column)
    for number in sorted({one.channel_groups for one in few}):
        held_out = max(round(VALIDATION_SHARE * number), 1)
        if number == 1:
            meaning = f"The only {noun} is either in train or in validation: the class is not learned or not scored."
        else:
            meaning = (
                f"A validation split of {percent(VALIDATION_SHARE, 0)} has {held_out} of them: one wrong {noun} "
                f"changes the recall of the class by {percent(1 / held_out, 0)}."
            )
        names = [one.name for one in few if one.channel_groups == number]
        texts.append((counted_groups(column, number), meaning, names))
    return texts


def _images(count: int) -> str:
    return counted(count, "image")


def _pairs(count: int) -> str:
    return f"{counted(count, 'pair')} of near-duplicates"


def _classes(count: int) -> str:
    return "1 class has" if count == 1 else f"{count:,} classes have"
