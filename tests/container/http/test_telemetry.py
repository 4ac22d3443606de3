"""Counters and log lines of an app without a model."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from container.http.app import make_app
from container.http.errors import RequestError
from container.http.telemetry import Telemetry, TelemetryMiddleware


class PageTelemetry(Telemetry):
    def details(self, scope):
        return {"page": scope["state"]["page"]} if "page" in scope.get("state", {}) else {}


async def page(request: Request) -> Response:
    request.state.page = 7
    return Response(b"x" * 30)


async def refuse(request: Request) -> Response:
    await request.body()
    raise RequestError(422, "no label " + "x" * 500, {"Retry-After": "3"})


@pytest.fixture
def telemetry() -> Telemetry:
    return PageTelemetry(lambda path: path if path == "/" else "other", quiet_paths=("/",))


@pytest.fixture
def lines(caplog, monkeypatch):
    """The entries of the log lines so far."""
    monkeypatch.setattr(logging.getLogger("rarebird"), "propagate", True)
    with caplog.at_level(logging.INFO, "rarebird"):
        yield lambda: [json.loads(record.getMessage()) for record in caplog.records if record.name == "rarebird"]


def test_requests_are_counted_and_logged(telemetry, lines):
    routes = [Route("/", page, methods=["GET"]), Route("/pages/{name}", page), Route("/no", refuse, methods=["POST"])]
    client = TestClient(make_app(routes, telemetry))
    client.get("/")  # quiet
    client.get(f"/pages/{'a' * 900}")
    answer = client.post("/no", content=b"12345")
    client.post("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (422, "3")
    answered, refused, method = lines()
    assert (answered["page"], answered["status"], answered["bytes_out"], len(answered["path"])) == (7, 200, 30, 200)
    assert (refused["bytes_in"], refused["method"], len(refused["error"])) == (5, "POST", 200)
    assert "page" not in refused and (method["status"], method["path"]) == (405, "/")
    metrics = telemetry.text().decode()
    assert 'rarebird_requests_total{path="other",status="200"} 1.0' in metrics
    assert 'rarebird_requests_total{path="/",status="200"} 1.0' in metrics
    assert 'rarebird_request_seconds_count{path="other"} 2.0' in metrics and "process_open_fds" in metrics


def test_gauges_are_evaluated_when_they_are_read(telemetry):
    values = [1.0]
    telemetry.gauge("rarebird_things", "Things", lambda: values[-1])
    values.append(5.0)
    assert "rarebird_things 5.0" in telemetry.text().decode()


def test_a_request_that_is_cancelled_is_answered_with_503(telemetry, lines):
    async def forever(scope, receive, send) -> None:
        await asyncio.sleep(1000)

    async def cancelled() -> list[dict]:
        sent: list[dict] = []

        async def send(message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
        task = asyncio.create_task(TelemetryMiddleware(forever, telemetry)(scope, asyncio.sleep, send))
        await asyncio.sleep(0.01)
        task.cancel()
        await task
        return sent

    start, body = asyncio.run(cancelled())
    assert start["status"] == 503 and (b"connection", b"close") in start["headers"]
    assert list(json.loads(body["body"])) == ["error"] and lines()[0]["status"] == 503
