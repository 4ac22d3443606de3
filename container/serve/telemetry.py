"""The counters and log entries of a server that predicts, in addition to those of container.http.telemetry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import Scope

from container.http.telemetry import MAX_LENGTH, Telemetry

PATHS = ("/ping", "/invocations", "/execution-parameters", "/metrics", "/openapi.json", "/models")
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Counters(Telemetry):
    """Also counts images and batches. Handlers store the numbers `pictures` and `unreadable` in the scope's state, for
    the log. Successful pings are not logged."""

    def __init__(self) -> None:
        super().__init__(path_template, quiet_paths=("/ping",))
        self.images = Counter("rarebird_pictures", "Images of requests", ["outcome"], registry=self.registry)
        self.batches = Histogram(
            "rarebird_batch_pictures", "Images per batch", registry=self.registry, buckets=BATCH_SIZES
        )
        self.faults = Counter("rarebird_model_faults", "Batches that the model failed on", registry=self.registry)

    def details(self, scope: Scope) -> dict[str, Any]:
        state = scope.get("state", {})
        details = {name: state[name] for name in ("pictures", "unreadable") if name in state}
        if inference := Headers(scope=scope).get("x-amzn-sagemaker-inference-id"):
            details["inference_id"] = inference[:MAX_LENGTH]
        return details


class ProcessCounters:
    """The metrics of each model process, labelled by its number.

    Args:
        registry: The registry of the server's metrics.
        processes: Number of processes.
        is_ready: Returns whether a process is ready, from its number.
        memory: Returns the resident memory of a process in bytes, from its number.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        processes: int,
        is_ready: Callable[[int], float],
        memory: Callable[[int], float],
    ):
        def counter(name: str, text: str) -> Counter:
            return Counter(f"rarebird_process_{name}", text, ["process"], registry=registry)

        self.images = counter("pictures", "Images predicted by a model process")
        self.restarts = counter("restarts", "Restarts of a model process")
        ready = Gauge("rarebird_process_ready", "Whether a model process is ready", ["process"], registry=registry)
        held = Gauge("rarebird_process_memory_bytes", "Resident memory", ["process"], registry=registry)
        for number in range(processes):
            self.images.labels(str(number))
            self.restarts.labels(str(number))
            ready.labels(str(number)).set_function(partial(is_ready, number))
            held.labels(str(number)).set_function(partial(memory, number))


def path_template(path: str) -> str:
    """A path in which {name} replaces the name of a model."""
    if path in PATHS:
        return path
    if path.startswith("/models/"):
        return "/models/{name}/invoke" if path.endswith("/invoke") else "/models/{name}"
    return "other"
