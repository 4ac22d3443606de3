"""model/settings/inference.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.settings.fields import setting
from model.settings.train import PRECISIONS


@dataclass(frozen=True)
class InferenceSettings:
    model_dir: str | None = setting(
        None,
        "the saved model, or a folder with one in it; else SM_CHANNEL_MODEL, else the newest run in runs",
        section="Where things lie",
    )
    models: list[str] = setting([], "several saved models that answer together instead of one, PATH[:WEIGHT]")
    eval_dir: str | None = setting(
        None, "the pictures, with info.csv where there is one; else SM_CHANNEL_EVAL, else what the model was made with"
    )
    output_data_dir: str | None = setting(
        None, "where the answers go; else SM_OUTPUT_DATA_DIR, else the folder that model_dir names, else output"
    )
    output: str | None = setting(
        None, "file of the answers, the probabilities beside it; else output.csv and probabilities.csv"
    )
    table: str | None = setting(None, "name of the CSV in the channel; else info.csv or the only one", section="Data")
    picture_column: str | None = setting(None, "column that names the pictures; else ImageID, image_name or path")
    strict: bool = setting(False, "exit with 1 where a picture could not be read")
    num_tta: int = setting(
        1,
        "views of each picture whose answers are joined; 1: the picture as it is",
        low=1,
        high=64,
        section="Prediction",
    )
    tta_mode: str = setting(
        "soft",
        "soft: probabilities of fixed views averaged; vote: each of random views votes",
        choices=("soft", "vote"),
    )
    seed: int = setting(0, "of the random views", low=0)
    batch_size: int = setting(64, "pictures of a forward pass, their views counted", low=1, section="Machine")
    precision: str = setting(
        "auto", "arithmetic; auto: bf16 where the hardware gains, fp16 on older GPUs, else fp32", choices=PRECISIONS
    )
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")
    num_workers: int = setting(
        -1, "processes that read pictures; 0: the job itself; -1: by the number of cores", low=-1
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.models and self.model_dir:
            yield "models and model_dir both name what answers; give one of them"


@dataclass(frozen=True)
class ServeSettings:
    model_dir: str | None = setting(
        None,
        "the saved model, or a folder with one in it; else SM_CHANNEL_MODEL, SM_MODEL_DIR, else the newest run in runs",
        section="Where things lie",
    )
    models: list[str] = setting([], "several saved models that answer together instead of one, PATH[:WEIGHT]")
    multi_model: bool = setting(False, "start without a model; requests to /models load, list and unload them by name")
    num_tta: int = setting(
        1,
        "views of each picture whose answers are joined; 1: the picture as it is",
        low=1,
        high=64,
        section="Prediction",
    )
    tta_mode: str = setting(
        "soft",
        "soft: probabilities of fixed views averaged; vote: each of random views votes",
        choices=("soft", "vote"),
    )
    seed: int = setting(0, "of the random views", low=0)
    accept: str = setting(
        "application/json",
        "form of an answer where a request names none",
        choices=("application/json", "application/json;verbose", "application/jsonlines", "text/csv"),
    )
    batch: bool = setting(False, "as a batch transform asks it: what is wrong with a picture is an answer, status 200")
    host: str = setting("0.0.0.0", "address to listen at", section="Requests")
    port: int = setting(8080, "port to listen at", low=0, high=65535)
    max_payload_mb: int = setting(25, "largest body of a request; 0: as max_pending_mb", unit="MiB", low=0)
    max_pending_mb: int = setting(512, "bodies held at a time; more requests are sent away with 503", unit="MiB", low=1)
    max_queue: int = setting(
        512, "pictures waiting for their answers at a time; more requests are sent away with 503", low=1
    )
    timeout: float = setting(60.0, "for an answer, from the end of the request's body", unit="s", low=0.001)
    body_timeout: float = setting(30.0, "for a request's head, and for its body", unit="s", low=0.001)
    drain_seconds: float = setting(25.0, "for requests that are under way when SIGTERM comes", unit="s", low=0)
    batch_size: int = setting(32, "pictures of a forward pass, their views counted", low=1, section="Machine")
    max_wait_ms: float = setting(
        5.0, "that a batch waits for pictures which are still being decoded", unit="ms", low=0, high=10_000
    )
    precision: str = setting(
        "auto", "arithmetic; auto: bf16 where the hardware gains, fp16 on older GPUs, else fp32", choices=PRECISIONS
    )
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")
    num_workers: int = setting(-1, "threads that decode pictures; -1: by the number of cores", low=-1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if sum(map(bool, (self.models, self.model_dir, self.multi_model))) > 1:
            yield "models, model_dir and multi_model each say what answers; give one of them"
        if self.max_payload_mb > self.max_pending_mb:
            yield f"max_payload_mb {self.max_payload_mb} is more than all bodies may have, max_pending_mb"
