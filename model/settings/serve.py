"""The settings of the HTTP server, which answers at an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.settings.choices import ACCEPTS
from model.settings.fields import setting
from model.settings.prediction import PredictionSettings


@dataclass(frozen=True)
class ServeSettings(PredictionSettings):
    """Which model the server answers with, how it predicts, and the limits of requests."""

    model_dir: str | None = setting(
        None,
        "the saved model, or a folder with one in it; else SM_CHANNEL_MODEL, SM_MODEL_DIR, else the newest run in runs",
        section="Where things lie",
    )
    multi_model: bool = setting(
        False,
        "start without a model; requests to /models load, list and unload them by name",
        section="Where things lie",
    )

    accept: str = setting(
        "application/json", "form of an answer where a request names none", choices=ACCEPTS, section="Prediction"
    )
    batch: bool = setting(False, "as a batch transform asks it: what is wrong with an image is an answer, status 200")

    host: str = setting("0.0.0.0", "address to listen at", section="Requests")
    port: int = setting(8080, "port to listen at", low=0, high=65535)
    max_payload_mb: int = setting(25, "largest body of a request; 0: as max_pending_mb", unit="MiB", low=0)
    max_pending_mb: int = setting(512, "bodies held at a time; more requests are sent away with 503", unit="MiB", low=1)
    max_queue: int = setting(
        512, "images waiting for their answers at a time; more requests are sent away with 503", low=1
    )
    timeout: float = setting(60.0, "for an answer, from the end of the request's body", unit="s", low=0.001)
    body_timeout: float = setting(
        30.0, "for a request's body to arrive, and for a client to take some of its answer", unit="s", low=0.001
    )
    max_connections: int = setting(
        2000, "connections at a time; the requests of more, /ping among them, are sent away with 503", low=1
    )
    drain_seconds: float = setting(25.0, "for requests that are under way when SIGTERM comes", unit="s", low=0)
    max_faults: int = setting(
        3,
        "batches in a row on which the model fails before /ping answers 503 and the server ends with 1; 0: never",
        low=0,
    )

    processes: int = setting(
        0,
        "model processes, each with the model and a GPU; 0: one per visible GPU, else the server's own process",
        low=0,
        section="Machine",
    )
    batch_size: int = setting(32, "images of a forward pass, their views counted", low=1, section="Machine")
    max_wait_ms: float = setting(
        5.0,
        "that a batch waits for images which are still being decoded",
        unit="ms",
        low=0,
        high=10_000,
        section="Machine",
    )
    num_workers: int = setting(-1, "threads that decode images, of all processes; -1: by the number of cores", low=-1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if sum(map(bool, (self.models, self.model_dir, self.multi_model))) > 1:
            yield "models, model_dir and multi_model each say what answers; give one of them"
        if self.max_payload_mb > self.max_pending_mb:
            yield f"max_payload_mb {self.max_payload_mb} is more than all bodies may have, max_pending_mb"
