"""The OpenAPI 3.1 description of the server, for people, client generators and fuzzers."""

from __future__ import annotations

from typing import Any

from container.http.json_body import JSON, LINES
from container.serve.request_body import IMAGES, MULTIPART
from container.serve.responses import CSV, VERBOSE
from model import __version__

ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
REASONS = {
    400: "the body does not match its Content-Type, or the only image of the request cannot be read",
    404: "unknown path or model",
    405: "unknown method",
    406: "the server supports none of the response formats that the request accepts",
    408: "the body did not arrive in time",
    409: "a model with that name is already loaded",
    413: "the body is too large, or has too many images or too much metadata",
    415: "the Content-Type is not supported",
    422: "the body contains no image, or does not have the expected structure",
    503: "the model is loading or fails, or too many requests are waiting; see Retry-After",
    507: "not enough memory for the model",
}
IMAGE = {"type": "string", "contentEncoding": "base64"}
METADATA = (
    "Further properties are metadata of the image, which the response contains. A model that was trained with --fusion "
    "reads the columns of its training's metadata_columns from them: text, a number, true, false, or null for an empty "
    "value. A column that is missing is unknown to the model, and other properties do not change its prediction."
)
IMAGE_WITH_METADATA = {
    "type": "object",
    "description": METADATA,
    "properties": {"image": IMAGE, "b64": IMAGE},
    "oneOf": [{"required": ["image"]}, {"required": ["b64"]}],
    "additionalProperties": True,
}
ITEM = {"oneOf": [IMAGE, IMAGE_WITH_METADATA]}
ITEMS = {"type": "array", "minItems": 1, "items": ITEM}
ITEM_OBJECTS = [
    {"type": "object", "required": [name], "properties": {name: ITEMS}, "additionalProperties": False}
    for name in ("instances", "images")
]
PROBABILITIES = {
    "type": "object",
    "properties": {
        "probabilities": {"type": "array", "items": {"type": "number"}},
        "labels": {"type": "array", "items": {"type": "string"}},
        "predicted_label": {"type": "string"},
        "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
        "ask_person": {"type": "boolean"},
        "metadata": {"type": "object"},
        "error": {"type": "string"},
    },
    "patternProperties": {"_number$": {"type": "number"}},
    "oneOf": [{"required": ["probabilities"]}, {"required": ["error"]}],
}
PREDICTIONS = {
    "type": "object",
    "required": ["predictions"],
    "properties": {"predictions": {"type": "array", "items": PROBABILITIES}},
}
FORM_BODY = {
    "type": "object",
    "description": f"Each part with a filename is an image. {METADATA} A property has one value, or one per image.",
    "required": ["image"],
    "properties": {"image": {"type": "string", "contentMediaType": "application/octet-stream"}},
}
MODEL = {
    "type": "object",
    "required": ["modelName", "modelUrl"],
    "properties": {"modelName": {"type": "string"}, "modelUrl": {"type": "string"}},
}
MODELS = {
    "type": "object",
    "required": ["models"],
    "properties": {"models": {"type": "array", "items": MODEL}, "nextPageToken": {"type": "string"}},
}
NEW_MODEL = {
    "type": "object",
    "required": ["model_name", "url"],
    "properties": {"model_name": {"type": "string", "minLength": 1}, "url": {"type": "string", "minLength": 1}},
}
NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
WHOLE_NUMBER = {"type": "string", "pattern": "^[0-9]+$"}


def description(multi_model: bool) -> dict[str, Any]:
    """The OpenAPI document. multi_model: whether it includes the paths that load and unload models."""
    paths: dict[str, Any] = {
        "/ping": {
            "get": {
                "responses": {"200": {"description": "ready"}, "503": {"description": "not ready, or the model fails"}}
            }
        },
        "/execution-parameters": {"get": _operation("Parameters of batch transforms", {"type": "object"})},
        "/metrics": {"get": {"responses": {"200": {"description": "counters", "content": {"text/plain": {}}}}}},
        "/openapi.json": {"get": _operation("This description", {"type": "object"})},
        "/invocations": {"post": _invocation()},
    }
    if multi_model:
        pages = [{"name": name, "in": "query", "schema": WHOLE_NUMBER} for name in ("limit", "next_page_token")]
        paths["/models"] = {
            "get": {**_operation("The loaded models", MODELS, 400), "parameters": pages},
            "post": {
                **_operation("Loads a model", MODEL, 400, 408, 409, 413, 503, 507),
                "requestBody": {"required": True, "content": {JSON: {"schema": NEW_MODEL}}},
            },
        }
        paths["/models/{name}"] = {
            "parameters": [NAME],
            "get": _operation("Describes a loaded model", MODEL, 404),
            "delete": _operation("Unloads a model", MODEL, 404),
        }
        paths["/models/{name}/invoke"] = {"parameters": [NAME], "post": _invocation()}
    return {"openapi": "3.1.0", "info": {"title": "Rarebird", "version": __version__}, "paths": paths}


def _invocation() -> dict[str, Any]:
    """The operation that predicts."""
    bodies: dict[str, Any] = {media_type: {"schema": {}} for media_type in IMAGES}
    bodies[JSON] = {"schema": {"oneOf": [IMAGE, IMAGE_WITH_METADATA, ITEMS, *ITEM_OBJECTS]}}
    bodies |= {LINES: {"schema": {}}, MULTIPART: {"schema": FORM_BODY}}
    operation = _operation(
        "Probabilities of images", {"oneOf": [PROBABILITIES, PREDICTIONS]}, 400, 404, 406, 408, 413, 415, 422, 503
    )
    formats = operation["responses"]["200"]["content"]
    formats |= {f"{JSON};{VERBOSE}": formats[JSON], LINES: {}, f"{LINES};{VERBOSE}": {}, CSV: {}}
    return {**operation, "requestBody": {"required": True, "content": bodies}}


def _operation(summary: str, schema: dict[str, Any], *statuses: int) -> dict[str, Any]:
    responses = {"200": {"description": summary, "content": {JSON: {"schema": schema}}}}
    for status in (*statuses, 405):
        responses[str(status)] = {"description": REASONS[status], "content": {JSON: {"schema": ERROR}}}
    return {"summary": summary, "responses": responses}
