"""The OpenAPI description agrees with the routes of the server."""

from __future__ import annotations

import pytest

from container.serve.app import Server
from container.serve.openapi import REASONS, description
from model.settings.serve import ServeSettings


@pytest.mark.parametrize("multi_model", [False, True])
def test_every_path_and_method_is_described_and_no_other(multi_model):
    server = Server(ServeSettings(multi_model=multi_model, num_workers=1), None, pytest.fail)
    routes = {(route.path, method) for route in server.app().routes for method in route.methods - {"HEAD"}}
    paths = description(multi_model)["paths"]
    described = {(path, name.upper()) for path, item in paths.items() for name in item if name != "parameters"}
    assert described == routes


@pytest.mark.parametrize("multi_model", [False, True])
def test_every_error_has_a_reason_and_the_schema_of_errors(multi_model):
    for path, item in description(multi_model)["paths"].items():
        for operation in (value for name, value in item.items() if name != "parameters"):
            errors = {int(status): text for status, text in operation["responses"].items() if status != "200"}
            for status, response in errors.items():
                if path != "/ping":
                    assert response["description"] == REASONS[status]
                    assert response["content"]["application/json"]["schema"]["required"] == ["error"]
