"""Requests that are answered before their body has arrived."""

from __future__ import annotations

import time

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /labels HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_response_does_not_wait_for_the_rest_of_the_request(page):
    """The first byte of the body stops uvicorn's timer of idle connections."""
    for head in (b"Content-Length: 1000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\n"):
        answer = page().sent(GET + head, b"x", pause=0.5)
        assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()


def test_a_client_that_sends_too_large_a_body_before_it_reads_gets_413(page):
    head = POST + b"Content-Length: 30000000\r\n\r\n"
    answer = page().sent(head, b"x" * 30_000_000)
    assert answer.startswith(b"HTTP/1.1 413") and b"max_labels" in answer


def test_a_client_that_waits_for_100_continue_gets_413(page):
    start = time.monotonic()
    waiting = page().sent(POST + b"Content-Length: 30000000\r\nExpect: 100-continue\r\n\r\n")
    assert waiting.startswith(b"HTTP/1.1 413") and time.monotonic() - start < 1.5


def test_a_body_that_was_read_leaves_the_connection_open(page):
    request = POST + b"Content-Length: 2\r\n\r\n[]"
    answers = page().sent(request + request + GET + b"Connection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200") == 3 and answers.lower().count(b"connection: close") == 1


def test_invalid_chunks_are_not_a_server_error(page):
    """Chunks that arrive with the headers, and chunks that arrive after the response."""
    server = page("--max_connections", "20")
    head = GET + b"Transfer-Encoding: chunked\r\n\r\n"
    assert server.sent(head + b"ZZ\r\n").startswith(b"HTTP/1.1 400")
    assert server.sent(head, b"ZZ\r\n", pause=0.3).startswith(b"HTTP/1.1 200")
    assert server.counted('rarebird_requests_total{path="/",status="500"}') == 0
    assert "Traceback" not in server.stop()[1]
