"""Layout `manifest`: SageMaker's augmented manifest, as Ground Truth writes it."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Sequence
from typing import Any

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.rows import ImageFinder, Rows
from model.data.readers.table_options import TableOptions
from model.data.readers.text_files import read_lines
from model.data.readers.text_table import TextTable
from model.errors import Problems

S3 = "s3://"
PATH, SOURCE = "path", "source-ref"


def read_manifest_rows(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> Rows:
    """Reads the rows of a manifest: one JSON object per line, with `source-ref` and attributes.

    An attribute NAME is a label if there is also `NAME-metadata`; its text is the `class-name` of the metadata, if any.
    Images are always named by `source-ref`. s3:// URIs are looked up below the channel, without their common prefix.

    Reference: SageMaker's augmented manifest files and Ground Truth's image classification output.

    Args:
        files: The channel.
        name: Path of the manifest below the channel.
        options: How tables are read.
        problems: Collects what is wrong.
    """
    rows = Rows(f"manifest {name}")
    records = _read_records(files, name, problems)
    paths = _paths_below_channel(files, [record[SOURCE] for _, record in records])

    # The labels are the attributes with metadata; without any, an only attribute is the label
    attributes = _attributes(records)
    with_metadata = {
        key.removesuffix("-metadata") for _, record in records for key in record if key.endswith("-metadata")
    }
    labels = tuple(key for key in attributes if key in with_metadata)
    rows.label_columns = labels or (tuple(attributes) if len(attributes) == 1 else ())
    rows.columns = {key: [] for key in attributes}
    named = [key for key in labels if any(_class_name(record, key) is not None for _, record in records)]

    finder = ImageFinder(files, problems, name, options.missing)
    for (line, record), name_in_channel in zip(records, paths):
        origin = f"{name} row {line}"
        path = finder.find_file(name_in_channel, origin)
        if path is None:
            continue
        values = {key: _attribute_text(record, key) for key in attributes}
        lists = [key for key in rows.label_columns if values[key].startswith("[")]
        if lists:
            detail = f"{origin}: {lists[0]} = {values[lists[0]]}, expected one label; use one attribute per label"
            problems.add("more than one label in an attribute", detail)
            rows.set_aside.append(path)
            continue
        unnamed = [key for key in named if values[key] and _class_name(record, key) is None]
        if unnamed:
            detail = (
                f"{origin}: {unnamed[0]} = {values[unnamed[0]]}, expected a class-name in its metadata, as in other "
                "rows"
            )
            problems.add("label without a class-name", detail)
            rows.set_aside.append(path)
            continue
        rows.add(path, origin, values)
    finder.finish()
    return rows


def read_manifest_table(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> TextTable:
    """Reads a manifest as a table with one row per line.

    Its columns are `path` (below the channel), `source-ref` (unchanged) and the attributes as text. Arguments: those
    of read_manifest_rows.
    """
    records = _read_records(files, name, problems)
    paths = _paths_below_channel(files, [record[SOURCE] for _, record in records])
    attributes = _attributes(records)
    table = TextTable(name, [PATH, SOURCE, *attributes], lines=[line for line, _ in records])
    for (_, record), path in zip(records, paths):
        table.rows.append([path, record[SOURCE], *(_attribute_text(record, key) for key in attributes)])
    return table


def _attributes(records: Sequence[tuple[int, dict[str, Any]]]) -> list[str]:
    """The keys of the records that are neither an image nor metadata of another key, in the order of the file."""
    keys = dict.fromkeys(key for _, record in records for key in record if key not in (SOURCE, "source"))
    return [key for key in keys if not key.endswith("-metadata")]


def _read_records(files: ChannelFiles, name: str, problems: Problems) -> list[tuple[int, dict[str, Any]]]:
    """The number and JSON object of each line. A line without a source-ref is a problem and is skipped."""
    records: list[tuple[int, dict[str, Any]]] = []
    for line, text in read_lines(files.root / name, problems):
        origin = f"{name} row {line}"
        try:
            record = json.loads(text)
            if not isinstance(record, dict) or not isinstance(record.get(SOURCE), str):
                raise ValueError("no source-ref")
        except ValueError as error:
            problems.add("invalid manifest row", f"{origin}: {error}; expected a JSON object with source-ref")
            continue
        records.append((line, record))
    return records


def _class_name(record: dict[str, Any], key: str) -> str | None:
    """The class name of a label in its metadata; None if there is none."""
    metadata = record.get(f"{key}-metadata")
    name = metadata.get("class-name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def _attribute_text(record: dict[str, Any], key: str) -> str:
    name = _class_name(record, key)
    if name is not None:
        return name
    value = record.get(key, "")
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _paths_below_channel(files: ChannelFiles, references: list[str]) -> list[str]:
    """Each reference as a path below the channel.

    The common prefix of the s3:// URIs may end with folders that are inside the channel, so the shortest end of the
    prefix with which an image is found is kept.
    """
    uris = [reference for reference in references if reference.startswith(S3)]
    if not uris:
        return references
    prefix = os.path.commonpath([posixpath.dirname(uri[len(S3) :]) for uri in uris])
    parts = prefix.split("/")
    below_prefix = {uri: uri[len(S3) + len(prefix) :].lstrip("/") for uri in uris}
    tail = ""
    for count in range(len(parts)):
        candidate = "/".join(parts[len(parts) - count :])
        if any(files.find(posixpath.join(candidate, below_prefix[uri]))[0] == "file" for uri in uris):
            tail = candidate
            break
    return [posixpath.join(tail, below_prefix[ref]) if ref in below_prefix else ref for ref in references]
