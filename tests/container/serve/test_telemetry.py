"""Counters and log lines of requests."""

from __future__ import annotations

import base64
import json
import logging

import pytest

from container.serve.telemetry import path_template


def text(image: bytes) -> str:
    return base64.b64encode(image).decode()


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/ping", "/ping"),
        ("/models", "/models"),
        ("/models/faces", "/models/{name}"),
        ("/models/faces/invoke", "/models/{name}/invoke"),
        ("/invocations/", "other"),
        ("/nowhere", "other"),
    ],
)
def test_paths_are_counted_without_model_names(path, template):
    assert path_template(path) == template


def test_requests_are_counted_and_logged(serving, images, caplog, monkeypatch):
    client = serving(seed=7)  # a new app
    monkeypatch.setattr(logging.getLogger("rarebird"), "propagate", True)
    with caplog.at_level(logging.INFO, "rarebird"):
        headers = {"Content-Type": "image/png", "X-Amzn-SageMaker-Inference-Id": "abc"}
        client.post("/invocations", content=images[1], headers=headers)
        client.post("/invocations", json=[text(images[0]), text(b"x")])
        client.post("/invocations", content=b"x", headers={"Content-Type": "text/plain"})
        client.get("/nowhere")
        client.get("/ping")
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.getMessage().startswith("{")]
    assert [line["status"] for line in lines] == [200, 200, 415, 404]  # successful pings are not logged
    assert (lines[0]["inference_id"], lines[0]["bytes_in"], lines[0]["pictures"]) == ("abc", len(images[1]), 1)
    assert (lines[1]["pictures"], lines[1]["unreadable"]) == (2, 1) and "text/plain" in lines[2]["error"]
    metrics = client.get("/metrics").text
    assert 'rarebird_requests_total{path="/invocations",status="200"} 2.0' in metrics
    assert 'rarebird_requests_total{path="other",status="404"} 1.0' in metrics
    assert 'rarebird_pictures_total{outcome="answered"} 2.0' in metrics
    assert 'rarebird_pictures_total{outcome="unreadable"} 1.0' in metrics
    assert "rarebird_waiting_pictures 0.0" in metrics and "rarebird_held_bytes 0.0" in metrics
