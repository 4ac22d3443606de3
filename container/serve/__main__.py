"""Answers over HTTP as SageMaker asks for them, by a saved model: for endpoints and batch transforms.

    docker run -p 8080:8080 -v MODEL:/opt/ml/model:ro rarebird serve
    SM_CHANNEL_MODEL=runs/exp python -m container.serve --port 8080 --num_tta 4

Reads   SM_CHANNEL_MODEL        a saved model or an ensemble, or a folder with one in it; else SM_MODEL_DIR, else
                                /opt/ml/model, else the newest finished run in runs/

GET /ping                       200 when the model is loaded and has answered once; 503 before, and once it fails again
                                and again
POST /invocations               images as they are, as multipart/form-data or as base64 in JSON; answers are JSON,
                                JSON lines or CSV
GET /execution-parameters       for batch transforms
GET /metrics /openapi.json      counters, and the description of all this
/models                         with --multi_model: load, list and unload models; POST /models/NAME/invoke

With several GPUs each has a model process of its own behind this server (--processes); one that ends is restarted.

As SageMaker gives an endpoint nothing but environment variables, each setting NAME is also read from SERVE_NAME, and
SAGEMAKER_BIND_TO_PORT, SAGEMAKER_MAX_PAYLOAD_IN_MB, SAGEMAKER_MODEL_SERVER_TIMEOUT[_SECONDS],
SAGEMAKER_MODEL_SERVER_WORKERS, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, SAGEMAKER_MULTI_MODEL and SAGEMAKER_BATCH mean
what they mean elsewhere.

Ends with 0 when SIGTERM came and what was under way is answered, 2 where the model cannot be loaded, 1 where there is
not enough memory for it, where it failed on --max_faults batches in a row, or where a model process does not stay.
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
    settings, env = settings_layers.read(SERVE, argv, __doc__ or "")
    try:
        return serve(settings, env)
    except job_script.Terminated:
        log.info("stopped by SIGTERM")
        sys.stdout.flush()
        os._exit(ExitCode.DONE)  # without waiting for threads that load or decode: SIGKILL comes 30 s after SIGTERM


def serve(settings: ServeSettings, env: Environment) -> int:
    """Serves until SIGTERM. InputError if the model cannot be loaded, or the port is taken."""
    failures: list[Exception] = []

    def on_failure(error: Exception) -> None:
        failures.append(error)
        server.stop()

    folder = model_folder(settings, env)
    processes = process_count(settings.processes, settings.device, env.variables)  # 1 is the server's own process
    app = Server(settings, folder, on_failure, processes).app()
    limits = ConnectionLimits(settings.max_connections, settings.body_timeout, settings.drain_seconds)
    server = HttpServer(app, limits)
    with open_listener(settings.host, settings.port) as listener:
        where = "" if processes == 1 else f" in {processes} processes"
        log.info("listening at %s:%d; loading the model%s", *listener.getsockname()[:2], where)
        server.run(listener)
    if failures:
        raise failures[0]
    return ExitCode.DONE


def model_folder(settings: ServeSettings, env: Environment) -> Path | None:
    """The folder of the model, None if the settings name several models, or none is served at first."""
    if settings.models or settings.multi_model:
        return None
    locations = Locations(env)
    folder = locations.served_model_dir(settings.model_dir)
    return newest_model(locations.models_dir(None), NAME_A_MODEL) if folder is None else find_model(folder)


if __name__ == "__main__":
    job_script.run(main)
