"""GPUs that the driver shows and the job cannot use: they would be paid for, and the job computed on the CPU."""

from __future__ import annotations

import logging
from collections.abc import Callable

from container.environment import Environment
from container.torchrun import visible_gpus
from model.errors import Failure

log = logging.getLogger("rarebird")

REMEDY = (
    "Where the driver is older than this build needs, on SageMaker name a newer one (InferenceAmiVersion of an "
    "endpoint, TransformAmiVersion of a transform), elsewhere install one: docs/containers.md, GPUs and drivers. "
    "--device cpu computes on the CPU"
)


def check_gpus(env: Environment, device: str, gpu_problem: Callable[[], str]) -> None:
    """Checks that a job whose device is `auto` uses the GPUs that the driver shows; elsewhere than in a container they
    are only a warning.

    Args:
        env: The environment of the job.
        device: Setting of the same name; any other value than auto is what the user wants.
        gpu_problem: Returns why the network's library uses no GPU, "" if it does. Called where there are GPUs.

    Raises:
        Failure: In the image, or in a folder laid out by SageMaker: no GPU can be used.
    """
    count = visible_gpus(env.variables) if device == "auto" else 0
    problem = gpu_problem() if count else ""
    if not problem:
        return
    shown = "1 GPU" if count == 1 else f"{count} GPUs"
    message = f"the driver shows {shown}, and none can be used: {problem}. {REMEDY}"
    if env.uses_opt_ml:
        raise Failure(message)
    log.warning("%s", message)
