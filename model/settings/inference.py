"""The settings of inference.py and inference_TTA.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.settings.fields import setting
from model.settings.prediction import PredictionSettings


@dataclass(frozen=True)
class InferenceSettings(PredictionSettings):
    """What inference reads, where its answers go, and how it predicts."""

    eval_dir: str | None = setting(
        None,
        "the pictures, with info.csv where there is one; else SM_CHANNEL_EVAL, else what the model was made with",
        section="Where things lie",
    )
    output_data_dir: str | None = setting(
        None, "where the answers go; else SM_OUTPUT_DATA_DIR, else the folder that model_dir names, else output"
    )
    output: str | None = setting(
        None, "file of the answers, the probabilities beside it; else output.csv and probabilities.csv"
    )

    table: str | None = setting(None, "name of the CSV in the channel; else info.csv or the only one", section="Data")
    picture_column: str | None = setting(None, "column that names the pictures; else ImageID, image_name or path")
    follow_links: bool = setting(
        False, "read images behind symbolic links that lead out of the channel; on your own machine, not in a container"
    )
    strict: bool = setting(False, "exit with 1 where a picture could not be read")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.models and self.model_dir:
            yield "models and model_dir both name what answers; give one of them"
