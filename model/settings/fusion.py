"""Settings of fusion: metadata of an image (columns of the channel's table) as a further input of the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from model.settings.choices import CONCAT, FUSIONS, METADATA, METADATA_ONLY, NO_FUSION
from model.settings.fields import setting

# Settings of TrainSettings that need a backbone, with the value that does not
OF_BACKBONE: Mapping[str, object] = {
    "weights": None,
    "pooling": "default",
    "drop_path": 0.0,
    "adapter": "none",
    "freeze": [],
    "freeze_norm": False,
    "feature_views": 0,
    "classifier_init": "random",
    "layer_decay": 1.0,
}


@dataclass(frozen=True)
class FusionSettings:
    """Base of TrainSettings: whether and how the network reads metadata, in its section `Metadata`."""

    fusion: str = setting(
        NO_FUSION,
        "Whether the network also reads the metadata in metadata_columns; "
        + "; ".join(f"{name}: {meaning}" for name, meaning in FUSIONS.items()),
        choices=FUSIONS,
        section=METADATA,
    )
    metadata_dim: int = setting(
        0, "Size of the embedding of each metadata column; 0: 1.6 x (number of its values)^0.56", low=0, high=1024
    )
    metadata_dropout: float = setting(
        0.1,
        "Probability of replacing a value by `unknown` in training, so that the network learns to predict without it",
        low=0,
        high=0.99,
    )
    metadata_min_count: int = setting(
        5, "Values in fewer training images count as `unknown`, and are not saved with the model", low=1
    )

    def fusion_contradictions(self, metadata_columns: list[str]) -> Iterator[str]:
        """A sentence for each contradiction between the settings of fusion and others.

        Args:
            metadata_columns: The setting of the same name.
        """
        if self.fusion == NO_FUSION:
            for field in fields(FusionSettings):
                if field.name != "fusion" and getattr(self, field.name) != field.default:
                    yield f"{field.name} is used only with --fusion {CONCAT} or {METADATA_ONLY}"
            return
        if not metadata_columns:
            yield f"--fusion {self.fusion} requires metadata_columns, the columns that the network reads"
        if len(set(metadata_columns)) < len(metadata_columns):
            yield f"metadata_columns has a column twice: {' '.join(metadata_columns)}"
        if self.fusion == METADATA_ONLY:
            for name, unset in OF_BACKBONE.items():
                if getattr(self, name) != unset:
                    yield f"{name} is for the backbone, which --fusion {METADATA_ONLY} does not have"
