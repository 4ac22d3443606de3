"""Limits of a body's size, time and memory, in a real process."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from container.http.errors import RequestError
from container.http.request_body import media_type
from tests.container.http.server_process import until

HEAD = b"POST /labels HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_body_that_is_too_large_is_413(page):
    for content in (b"[" * 1001, iter([b"[" * 600, b"[" * 401])):  # with a Content-Length, and in chunks
        answer = httpx.post(f"{page().url}/labels", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413 and "(max_labels)" in answer.json()["error"]
    for length in (b"9" * 19, b"9" * 20):
        assert page().sent(HEAD + b"Content-Length: " + length + b"\r\n\r\n").startswith(b"HTTP/1.1 413")


def test_a_slow_body_is_408_and_releases_its_memory(page):
    server = page("--body_seconds", "1")
    start = time.monotonic()
    answer = server.sent(HEAD + b"Content-Length: 100\r\n\r\n" + b"[1,")
    assert answer.startswith(b"HTTP/1.1 408") and b"did not arrive within 1 s; 3 bytes were received" in answer
    assert time.monotonic() - start < 20 and server.counted("rarebird_held_bytes") == 0


def test_too_many_bodies_at_a_time_are_503(page):
    server = page("--body_seconds", "3")
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(server.sent, HEAD + b"Content-Length: 1000\r\n\r\n" + b" " * 900)
        until(lambda: server.counted("rarebird_held_bytes") == 900, 20)
        answer = httpx.post(f"{server.url}/labels", content=b" " * 700, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "too many request bodies" in answer.json()["error"]
        assert slow.result().startswith(b"HTTP/1.1 408")
    assert server.counted("rarebird_held_bytes") == 0


def test_bodies_of_disconnected_clients_release_their_memory(page):
    server = page()
    for _ in range(5):
        server.sent(HEAD + b"Content-Length: 1000\r\n\r\n[", half_closed=True)
    assert server.counted("rarebird_held_bytes") == 0


def test_media_types_have_no_parameters_and_compression_is_refused():
    assert media_type({"content-type": "Text/JSON; charset=utf-8", "content-encoding": "identity"}) == "text/json"
    assert media_type({}) == ""
    with pytest.raises(RequestError, match="gzip") as raised:
        media_type({"content-encoding": "gzip"})
    assert raised.value.status == 415
