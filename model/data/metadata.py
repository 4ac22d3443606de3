"""Metadata as an input of a network: the columns that it reads, in tables of a channel or of images to predict."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from model.data.prediction_input import PredictionInput
from model.data.readers.columns import column_named
from model.errors import InputError, listing, nearest
from model.images.pipeline import InputPipeline

log = logging.getLogger("rarebird")


def columns_of(frame: pd.DataFrame, names: Iterable[str]) -> dict[str, list[object]]:
    """The values of those columns that a table has, by the given names: the table may spell their case differently."""
    header = [str(column) for column in frame.columns]
    found = {name: column_named(header, name) for name in names}
    return {name: frame.iloc[:, header.index(column)].tolist() for name, column in found.items() if column is not None}


def require_columns(frame: pd.DataFrame, names: Iterable[str], source: str, advice: str = "") -> None:
    """Raises InputError if a table lacks columns that a model reads; it lists all of them with their nearest names.

    Args:
        frame: The table.
        names: The columns.
        source: What the table is, for the message.
        advice: End of the message.
    """
    header = [str(column) for column in frame.columns]
    missing = {name: nearest(name, header) for name in names if column_named(header, name) is None}
    if missing:
        columns = listing(f"{name!r} (nearest: {close})" if close else repr(name) for name, close in missing.items())
        have = f"its columns are {listing(header)}" if header else "it has no columns"
        named = f"the columns {columns} are" if len(missing) > 1 else f"the column {columns} is"
        raise InputError(f"{source}: the model also reads metadata, of which {named} missing; {have}{advice}")


def with_metadata(
    inputs: PredictionInput, pipelines: Iterable[InputPipeline], is_required: bool, source: str
) -> PredictionInput:
    """The images to predict with the metadata that models read; unchanged if they read none.

    Args:
        inputs: The images.
        pipelines: The input pipelines of the models.
        is_required: Whether a missing column is an error; otherwise it is unknown for all images, and logged.
        source: Where the images are from, for messages.

    Raises:
        InputError: A column is missing and required.
    """
    names = list(dict.fromkeys(name for pipeline in pipelines for name in pipeline.metadata_columns))
    if not names:
        return inputs
    if is_required:
        advice = "; --missing_metadata unknown predicts without the columns that are missing"
        require_columns(inputs.rows, names, source, advice)
    metadata = pd.DataFrame(columns_of(inputs.rows, names), index=inputs.rows.index, dtype=object)
    unknown = [name for name in names if name not in metadata]
    if unknown:
        log.warning("%s: predicted without the metadata %s, which is unknown", source, listing(unknown))
    return replace(inputs, metadata=metadata)
