"""The settings of the HTTP server of an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.settings.choices import ACCEPTS, PATHS
from model.settings.fields import setting
from model.settings.prediction import PredictionSettings


@dataclass(frozen=True)
class ServeSettings(PredictionSettings):
    """Which model the server loads, how it predicts, and the limits of requests."""

    model_dir: str | None = setting(
        None,
        "Folder of the saved model, or a folder that contains one",
        unset="SM_CHANNEL_MODEL, SM_MODEL_DIR or the newest finished run in runs",
        section=PATHS,
        common=True,
    )
    multi_model: bool = setting(
        False,
        "Start without a model; requests to /models load, list and unload models by name",
        section=PATHS,
        common=True,
    )

    accept: str = setting(
        "application/json",
        "Default format of the responses",
        choices=ACCEPTS,
        section="Prediction",
        common=True,
    )
    batch: bool = setting(
        False,
        "For batch transforms: if an image cannot be predicted, the response has status 200 and contains the error",
    )

    host: str = setting("0.0.0.0", "Address to listen on", section="Requests", common=True)
    port: int = setting(8080, "Port to listen on", low=0, high=65535, common=True)
    max_payload_mb: int = setting(
        25, "Maximum size of the body of a request; 0: the same as max_pending_mb", unit="MiB", low=0, common=True
    )
    max_pending_mb: int = setting(
        512, "Maximum total size of the request bodies in memory; further requests get status 503", unit="MiB", low=1
    )
    max_queue: int = setting(
        512, "Maximum number of images that wait for a prediction; further requests get status 503", low=1
    )
    timeout: float = setting(
        60.0,
        "Time limit for a prediction, counted from the end of the request's body",
        unit="seconds",
        low=0.001,
        common=True,
    )
    body_timeout: float = setting(
        30.0,
        "Time limit for receiving the body of a request, and for sending each part of the response",
        unit="seconds",
        low=0.001,
    )
    max_connections: int = setting(
        2000,
        "Maximum number of open connections; requests on further connections, including /ping, get status 503",
        low=1,
    )
    drain_seconds: float = setting(
        25.0, "Time limit for finishing running requests after SIGTERM", unit="seconds", low=0
    )
    max_faults: int = setting(
        3,
        "Number of failed batches in a row after which /ping returns 503 and the server exits with code 1; 0: never",
        low=0,
    )

    processes: int = setting(
        0,
        "Number of processes that run the model, each on its own GPU. 0: one per visible GPU; with at most "
        "one GPU, the server itself runs the model",
        low=0,
        section="Machine",
        common=True,
    )
    batch_size: int = setting(
        32, "Images per forward pass; each view counts as one image", low=1, section="Machine", common=True
    )
    max_wait_ms: float = setting(
        5.0,
        "Maximum time that a batch waits for images that are still being decoded",
        unit="milliseconds",
        low=0,
        high=10_000,
        section="Machine",
    )
    num_workers: int = setting(
        -1,
        "Number of threads that decode images, in all processes together; -1: chosen by the number of CPU cores",
        low=-1,
    )

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        if sum(map(bool, (self.models, self.model_dir, self.multi_model))) > 1:
            yield "models, model_dir and multi_model each define the model; set only one of them"
        if self.max_payload_mb > self.max_pending_mb:
            limit = f"max_pending_mb {self.max_pending_mb}"
            yield f"max_payload_mb {self.max_payload_mb} must be at most {limit}, the limit for all bodies together"
