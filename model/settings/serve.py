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
        "Format of a response if the request names none",
        choices=ACCEPTS,
        section="Prediction",
        common=True,
    )
    batch: bool = setting(
        False, "For batch transforms: an error of an image is part of the response, whose status is 200"
    )

    host: str = setting("0.0.0.0", "Address to listen on", section="Requests", common=True)
    port: int = setting(8080, "Port to listen on", low=0, high=65535, common=True)
    max_payload_mb: int = setting(
        25, "Largest body of a request; 0: the same as max_pending_mb", unit="MiB", low=0, common=True
    )
    max_pending_mb: int = setting(
        512, "Total size of the bodies in memory; further requests get status 503", unit="MiB", low=1
    )
    max_queue: int = setting(512, "Images that may wait for a prediction; further requests get status 503", low=1)
    timeout: float = setting(
        60.0,
        "Time limit for a prediction, counted from the end of the request's body",
        unit="seconds",
        low=0.001,
        common=True,
    )
    body_timeout: float = setting(
        30.0,
        "Time limit for receiving the body of a request, and for a client to receive a part of the response",
        unit="seconds",
        low=0.001,
    )
    max_connections: int = setting(
        2000, "Connections at a time; requests on further ones, including /ping, get status 503", low=1
    )
    drain_seconds: float = setting(
        25.0, "Time limit for finishing running requests after SIGTERM", unit="seconds", low=0
    )
    max_faults: int = setting(
        3,
        "Failed batches in a row after which /ping returns 503 and the server exits with code 1; 0: never",
        low=0,
    )

    processes: int = setting(
        0,
        "Model processes, each with the model and its own GPU; 0: one per visible GPU, or the server's own process",
        low=0,
        section="Machine",
        common=True,
    )
    batch_size: int = setting(32, "Images per forward pass, counting each view", low=1, section="Machine", common=True)
    max_wait_ms: float = setting(
        5.0,
        "How long a batch waits for images that are still being decoded",
        unit="milliseconds",
        low=0,
        high=10_000,
        section="Machine",
    )
    num_workers: int = setting(-1, "Threads that decode images, in all processes; -1: by the number of cores", low=-1)

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        if sum(map(bool, (self.models, self.model_dir, self.multi_model))) > 1:
            yield "models, model_dir and multi_model each define the model; set only one of them"
        if self.max_payload_mb > self.max_pending_mb:
            limit = f"max_pending_mb {self.max_pending_mb}"
            yield f"max_payload_mb {self.max_payload_mb} must be at most {limit}, the total of all bodies"
