"""Serves predictions of a saved model over HTTP, for SageMaker endpoints and batch transforms.

    docker run -p 8080:8080 -v MODEL:/opt/ml/model:ro rarebird serve
    SM_CHANNEL_MODEL=runs/exp python -m container.serve --port 8080 --num_tta 4

Reads   SM_CHANNEL_MODEL        a saved model or an ensemble, or a folder that contains one. Defaults, in this order:
                                SM_MODEL_DIR, /opt/ml/model, the newest finished run in runs/

GET /ping                       200 if the model is loaded and can predict; 503 before that, and after --max_faults
                                failed batches in a row
POST /invocations               predicts images: raw bytes, multipart/form-data, or base64 in JSON. The response is
                                JSON, JSON lines or CSV
GET /execution-parameters       for batch transforms
GET /metrics /openapi.json      Prometheus counters; the OpenAPI description
/models                         with --multi_model: load, list and unload models; POST /models/NAME/invoke

With several GPUs, each has its own model process behind this server (--processes). A process that ends is restarted.

SageMaker can configure an endpoint only by environment variables. So each setting NAME is also read from SERVE_NAME,
and these variables are supported: SAGEMAKER_BIND_TO_PORT, SAGEMAKER_MAX_PAYLOAD_IN_MB,
SAGEMAKER_MODEL_SERVER_TIMEOUT[_SECONDS], SAGEMAKER_MODEL_SERVER_WORKERS, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT,
SAGEMAKER_MULTI_MODEL and SAGEMAKER_BATCH.

Exit codes: 0 after SIGTERM, when all running requests are answered; 2 if the model cannot be loaded; 1 if there is not
enough memory for it, if it failed on --max_faults batches in a row, or if a model process ends again and again.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from container import job_script, settings_layers
from container.environment import Environment
from container.http.server import ConnectionLimits, HttpServer, open_listener
from container.job_types import SERVE
from container.locations import NAME_A_MODEL, Locations
from container.serve.app import Server
from container.torchrun import process_count
from model.artifacts.discovery import find_model, newest_model
from model.errors import ExitCode
from model.settings.serve import ServeSettings

log = logging.getLogger("rarebird")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the server. Returns its exit code."""
    settings, env = settings_layers.read(SERVE, argv, __doc__ or "")
    try:
        return serve(settings, env)
    except job_script.Terminated:
        log.info("stopped by SIGTERM")
        sys.stdout.flush()
        os._exit(ExitCode.DONE)  # does not wait for threads that load or decode: SIGKILL follows 30 s after SIGTERM


def serve(settings: ServeSettings, env: Environment) -> int:
    """Serves until SIGTERM. InputError if the model cannot be loaded or the port is in use."""
    failures: list[Exception] = []

    def on_failure(error: Exception) -> None:
        failures.append(error)
        server.stop()

    folder = model_folder(settings, env)
    processes = process_count(settings.processes, settings.device, env.variables)  # 1: the model is in this process
    app = Server(settings, folder, on_failure, processes).app()
    limits = ConnectionLimits(settings.max_connections, settings.body_timeout, settings.drain_seconds)
    server = HttpServer(app, limits)
    with open_listener(settings.host, settings.port) as listener:
        where = "" if processes == 1 else f" in {processes} processes"
        log.info("listening on %s:%d; loading the model%s", *listener.getsockname()[:2], where)
        server.run(listener)
    if failures:
        raise failures[0]
    return ExitCode.DONE


def model_folder(settings: ServeSettings, env: Environment) -> Path | None:
    """The folder of the model; None if the settings name several models or --multi_model starts without one."""
    if settings.models or settings.multi_model:
        return None
    locations = Locations(env)
    folder = locations.served_model_dir(settings.model_dir)
    return newest_model(locations.models_dir(None), NAME_A_MODEL) if folder is None else find_model(folder)


if __name__ == "__main__":
    job_script.run(main)
