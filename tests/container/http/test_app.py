"""A page without a model: errors are JSON, requests are logged, and no module of model is imported."""

from __future__ import annotations

import subprocess
import sys

import httpx2 as httpx
import pytest

from tests.container.http.server_process import ROOT

IMPORTS = """
import importlib, pathlib, sys
for path in pathlib.Path("container/http").glob("*.py"):
    importlib.import_module(f"container.http.{path.stem}")
others = {name for name in sys.modules if name.startswith(("container", "model", "exploration", "jobs"))}
print(sorted(name for name in others if not name.startswith("container.http")))
print([name for name in ("numpy", "torch", "PIL", "pandas") if name in sys.modules])
"""


def test_http_imports_neither_models_nor_numpy():
    ended = subprocess.run([sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["['container', 'model', 'model.errors']", "[]"]


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nowhere", 404, "GET /nowhere: Not Found"),
        ("GET", "/ping/", 404, "GET /ping/: Not Found"),
        ("POST", "/", 405, "POST /: Method Not Allowed"),
        ("GET", "/fault", 500, "internal server error"),
        ("POST", "/labels", 415, "expected application/json"),
    ],
)
def test_errors_are_json(page, method, path, status, message):
    answer = httpx.request(method, page().url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert list(answer.json()) == ["error"] and message in answer.json()["error"]
    assert (answer.headers.get("connection") == "close") == (status == 500)  # uvicorn closes it behind an exception


def test_a_page_is_served_and_its_requests_are_counted_and_logged(page):
    server = page("--max_connections", "50")
    answer = httpx.get(server.url)
    assert answer.status_code == 200 and "<title>Labels</title>" in answer.text and "server" not in answer.headers
    assert httpx.post(f"{server.url}/labels", json={"a": 1}).json() == {"saved": {"a": 1}}
    assert server.counted('rarebird_requests_total{path="/labels",status="200"}') == 1
    assert server.counted('rarebird_requests_total{path="/",status="200"}') == 1
