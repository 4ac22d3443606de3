"""`python -m exploration embed`: computes the features of a channel's images, or completes them, in the cache."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exploration.channels import EmbeddedChannel, embeddings_of, read_labelled
from model.atomic_write import write_beside
from model.errors import Failure, InputError
from model.runtime.log_lines import log_lines
from model.runtime.terminal import counted
from model.settings.cli import from_flags
from model.settings.fields import setting

if TYPE_CHECKING:
    from model.data.table import Table
    from model.embeddings.embed import Embeddings

SUFFIX = ".npz"

USAGE = """python -m exploration embed CHANNEL [--FLAG VALUE ...]

Computes a vector of features for each image of a labelled channel: the output of a network before its classifier.
Images that look alike to the network have similar features. All commands that need them read them from a cache: they
are computed once for each content of an image. If the command is interrupted, the next one computes only the rest."""


@dataclass(frozen=True)
class EmbedSettings(EmbeddedChannel):
    """Settings of `python -m exploration embed`."""

    channel: str = setting("", "Folder of labelled images", section="Embed", positional=True, common=True)
    output: str | None = setting(
        None,
        "File to write the features to as well: a .npz with features (float16), paths, groups, attributes and labels",
        common=True,
        placeholder="FILE.npz",
    )

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        if self.output and not self.output.endswith(SUFFIX):
            yield f"output must end in {SUFFIX}, not {self.output!r}"
        yield from super().contradictions()


def main(argv: Sequence[str]) -> int:
    settings = from_flags(EmbedSettings, argv, USAGE)
    if not settings.channel:
        raise InputError("name the folder of a channel: python -m exploration embed data/train")
    with log_lines(sys.stderr):
        table = read_labelled(settings, Path(settings.channel))
        embeddings = embeddings_of(settings, table)
    print("\n".join(summary(table, embeddings)))
    if settings.output:
        try:
            write_features(Path(settings.output), table, embeddings)
        except OSError as error:
            message = f"{settings.output}: cannot be written: {error.strerror}; choose another --output FILE"
            raise Failure(message) from None
        print(f"wrote {settings.output}")
    return 0


def summary(table: Table, embeddings: Embeddings) -> list[str]:
    """The lines that the command prints."""
    dimensions = embeddings.features.shape[1]
    lines = [f"{counted(len(table), 'image')}, {counted(dimensions, 'feature')} each: {embeddings.name}"]
    if table.skipped:
        lines.append(f"{counted(len(table.skipped), 'unreadable image')} skipped")
    if embeddings.computed:
        rate = embeddings.computed / max(embeddings.seconds, 1e-9)
        sizes = f" over {len(embeddings.folders)} sizes" if len(embeddings.folders) > 1 else ""
        lines.append(f"computed {embeddings.computed:,}{sizes} in {embeddings.seconds:.1f} s, {rate:,.0f}/s")
    else:
        lines.append("all were in the cache")
    return [*lines, *(f"cache: {folder}" for folder in embeddings.folders)]


def write_features(path: Path, table: Table, embeddings: Embeddings) -> None:
    """Writes a .npz with the features, and what they are of.

    Args:
        path: The file. Its arrays: `features`, float16 (n, d); `paths` and `groups`, str (n,); `attributes`, str (a,);
            `labels`, str (n, a), empty where a label is missing.
        table: The images.
        embeddings: Their features.
    """
    import numpy as np

    names = table.scheme.names
    values = [np.array([*attribute.values, ""])[table.labels[attribute.name]] for attribute in table.scheme.attributes]
    with write_beside(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            features=embeddings.features,
            paths=np.array(table.locations.paths, dtype=str),
            groups=np.array(table.groups, dtype=str),
            attributes=np.array(names, dtype=str),
            labels=np.column_stack(values),
        )
