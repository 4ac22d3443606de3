"""Checks that the GPUs of a machine can be used: otherwise the job would run on the CPU while the GPUs are paid for."""

from __future__ import annotations

import logging
from collections.abc import Callable

from container.environment import Environment
from container.torchrun import visible_gpus
from model.errors import Failure

log = logging.getLogger("rarebird")

REMEDY = (
    "If the driver is too old for this build, install a newer one; on SageMaker choose it by InferenceAmiVersion (of "
    'an endpoint) or TransformAmiVersion (of a transform). See "GPUs and drivers" in docs/containers.md. To use the '
    "CPU instead: --device cpu"
)


def check_gpus(env: Environment, device: str, gpu_problem: Callable[[], str]) -> None:
    """Checks that a job whose device is `auto` can use the GPUs that the driver shows. Outside of a container logs a
    warning if it cannot.

    Args:
        env: The environment of the job.
        device: The setting of the same name. Values other than auto are not checked.
        gpu_problem: Returns why the network's library cannot use a GPU, "" if it can. Called only if there are GPUs.

    Raises:
        Failure: No GPU can be used, in the image or with SageMaker's folders.
    """
    count = visible_gpus(env.variables) if device == "auto" else 0
    problem = gpu_problem() if count else ""
    if not problem:
        return
    shown = "1 GPU" if count == 1 else f"{count} GPUs"
    message = f"the driver shows {shown}, but none can be used: {problem}. {REMEDY}"
    if env.uses_opt_ml:
        raise Failure(message)
    log.warning("%s", message)
