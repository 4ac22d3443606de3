"""Parts of the input of inference: rows that are predicted and saved together, and a digest of their contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.data.image_locations import ImageLocations
from model.data.prediction_input import PredictionInput
from model.images.decode import UnreadableImage, image_source, read_content

NO_SHARD = "no-shard"  # name of the part with the images that are not in a shard
DIGEST_BYTES = 16


@dataclass(frozen=True)
class InputPart:
    """Some rows of an input.

    Attributes:
        name: Name of the shard or number of the first row; a valid file name, unique in the input.
        rows: int64 (n,), ascending.
    """

    name: str
    rows: NDArray[np.int64]


def divide(locations: ImageLocations, part_size: int, batch: int, hosts: int, processes: int) -> list[InputPart]:
    """Divides an input into parts; empty if it is predicted as a whole.

    Args:
        locations: Locations of the images.
        part_size: Rows per part, rounded up to whole batches, so that the batches are those of an undivided input; 0:
            one part per shard if there are at least as many shards as processes, otherwise one part per process.
        batch: Images per batch.
        hosts: Number of hosts that share the input.
        processes: Number of processes per host.
    """
    by_shard = [] if part_size else divide_by_shard(locations)
    if len(by_shard) >= hosts * processes:
        return by_shard
    if not (part_size or by_shard or processes > 1):
        return []
    part_size = part_size or -(-len(locations) // (hosts * processes))
    return divide_rows(len(locations), max(1, -(-part_size // batch)) * batch)


def divide_rows(rows: int, part_size: int) -> list[InputPart]:
    """Consecutive parts of part_size rows."""
    starts = range(0, rows, part_size)
    return [InputPart(f"rows-{first:09d}", np.arange(first, min(first + part_size, rows))) for first in starts]


def divide_by_shard(locations: ImageLocations) -> list[InputPart]:
    """One part per shard, sorted by first row, and one for the images that are not in a shard. Empty without shards."""
    by_shard = locations.rows_by_shard()
    if not by_shard.keys() - {None}:
        return []
    other = NO_SHARD
    while other in by_shard:
        other += "-"
    parts = [InputPart(other if shard is None else shard, rows) for shard, rows in by_shard.items()]
    return sorted(parts, key=lambda part: int(part.rows[0]))


def share_of(parts: Sequence[InputPart], index: int, count: int) -> tuple[list[InputPart], NDArray[np.int64]]:
    """The parts of one host: every count-th part, starting with part `index`.

    Args:
        parts: All parts of the input.
        index: Number of the host, from 0.
        count: Number of hosts.

    Returns:
        The parts, whose rows are positions among the host's rows; and the host's rows, int64 (n,), ascending.
    """
    own = parts[index::count]
    rows = np.sort(np.concatenate([part.rows for part in own])) if own else np.empty(0, np.int64)
    return [InputPart(part.name, np.searchsorted(rows, part.rows)) for part in own], rows


def content_digest(root: Path, inputs: PredictionInput, draws: NDArray[np.int64] | None = None) -> str:
    """A hash of the data that the predictions of some rows depend on: the values of the table and the images' bytes.

    Args:
        root: Folder of the channel.
        inputs: The rows.
        draws: int64 (n,), seeds of random views; None if views are not random.
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)

    def add(content: bytes) -> None:
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)

    add(_text([inputs.name_column, *inputs.rows.columns]))
    for row, values in enumerate(inputs.rows.itertuples(index=False, name=None)):
        location = inputs.locations[row]
        add(_text([*values, location.path, None if draws is None else int(draws[row])]))
        try:
            content = read_content(image_source(root, location))
        except UnreadableImage:
            content = b""
        add(content if isinstance(content, bytes) else b"")
    return digest.hexdigest()


def _text(values: Sequence[object]) -> bytes:
    return json.dumps(values).encode("ascii")
