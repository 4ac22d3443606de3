"""Removes secrets from a request before it is stored: the values of environment variables such as API_KEY."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

SECRET = re.compile(r"key|secret|token|passw|pwd|credential|auth", re.IGNORECASE)  # names of secret variables
NOT_KEPT = "(not kept)"
ENVIRONMENT, DEFINITION = "Environment", "PipelineDefinition"  # request fields: variables; a pipeline as JSON text


def without_secrets(request: Any) -> Any:
    """Returns a request with the values of secret environment variables replaced by NOT_KEPT, at any depth."""
    if isinstance(request, Mapping):
        return {name: _field(name, value) for name, value in request.items()}
    return [without_secrets(item) for item in request] if isinstance(request, (list, tuple)) else request


def _field(name: str, value: Any) -> Any:
    if name == ENVIRONMENT and isinstance(value, Mapping):
        return {variable: NOT_KEPT if SECRET.search(variable) else text for variable, text in value.items()}
    if name == DEFINITION and isinstance(value, str):
        return json.dumps(without_secrets(json.loads(value)))
    return without_secrets(value)
