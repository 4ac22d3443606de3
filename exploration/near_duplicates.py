"""near_duplicates finds images that are copies of each other: recompressed, resized, flipped or slightly cropped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DuplicatePair:
    """Two images of a table, one of which is a copy of the other.

    Attributes:
        rows: Rows of the images in the table, the smaller one first.
        similarity: Cosine of the embeddings, -1 to 1; NaN if one of them is missing.
        distance: Share of the bits of the perceptual hashes that differ after the images are aligned, 0 to 1; 0 if the
            files are equal.
        across_groups: Whether the images are of different groups. If the channel has no groups, always True.
        across_splits: Whether the images are in different splits.
        labels_differ: Whether a label that both images have is not the same.
        is_flipped: Whether one image is the mirror image of the other.
        is_equal: Whether the files have the same content.
    """

    rows: tuple[int, int]
    similarity: float
    distance: float
    across_groups: bool
    across_splits: bool
    labels_differ: bool
    is_flipped: bool = False
    is_equal: bool = False
