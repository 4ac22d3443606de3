"""The counters of a server that predicts, and what its log says of a request beside container.http's telemetry."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers
from starlette.types import Scope

from container.http.telemetry import MAX_LENGTH, Telemetry

PATHS = ("/ping", "/invocations", "/execution-parameters", "/metrics", "/openapi.json", "/models")
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Counters(Telemetry):
    """Also counts pictures and batches. Handlers put `pictures` and `unreadable` into the scope's state for the log;
    successful pings are not logged."""

    def __init__(self) -> None:
        super().__init__(path_template, quiet_paths=("/ping",))
        self.pictures = Counter("rarebird_pictures", "Pictures of requests", ["outcome"], registry=self.registry)
        self.batches = Histogram(
            "rarebird_batch_pictures", "Pictures a batch", registry=self.registry, buckets=BATCH_SIZES
        )
        self.faults = Counter("rarebird_model_faults", "Batches that the model failed on", registry=self.registry)

    def details(self, scope: Scope) -> dict[str, Any]:
        state = scope.get("state", {})
        details = {name: state[name] for name in ("pictures", "unreadable") if name in state}
        if inference := Headers(scope=scope).get("x-amzn-sagemaker-inference-id"):
            details["inference_id"] = inference[:MAX_LENGTH]
        return details


def path_template(path: str) -> str:
    """A path without the names of models in it."""
    if path in PATHS:
        return path
    if path.startswith("/models/"):
        return "/models/{name}/invoke" if path.endswith("/invoke") else "/models/{name}"
    return "other"
