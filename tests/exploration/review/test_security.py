"""Requests that are not from the server's own page are refused."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from exploration.review.security import HEADERS, Guard, cookie_name

PORT, TOKEN = 8765, "the-token"
OWN = f"127.0.0.1:{PORT}"


async def answers(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"secret"})


@pytest.fixture(scope="module")
def client():
    return TestClient(Guard(answers, TOKEN, PORT), f"http://{OWN}")


def request(client, path="/api/session", method="GET", **headers):
    sent = {"x-rarebird-token": TOKEN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.request(method, path, headers={name: value for name, value in sent.items() if value is not None})


@pytest.mark.parametrize("host", [OWN, f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
def test_requests_of_the_page_pass(client, host):
    for headers in ({}, {"origin": f"http://{host}"}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}):
        answer = request(client, host=host, **headers)
        assert answer.status_code == 200 and answer.text == "secret"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"host": "evil.example"}, "Host"),  # DNS rebinding
        ({"host": f"evil.example:{PORT}"}, "Host"),
        ({"host": "127.0.0.1"}, "Host"),
        ({"host": "127.0.0.1:80"}, "Host"),
        ({"host": f"{OWN}.evil.example"}, "Host"),
        ({"host": f"{OWN}@evil.example"}, "Host"),
        ({"host": ""}, "Host"),
        ({"origin": "http://evil.example"}, "Origin"),
        ({"origin": "null"}, "Origin"),
        ({"origin": f"https://{OWN}"}, "Origin"),
        ({"origin": "http://127.0.0.1:9999"}, "Origin"),
        ({"origin": f"http://localhost:{PORT}"}, "Origin"),  # the page is at 127.0.0.1
        ({"sec_fetch_site": "cross-site"}, "another site"),
        ({"sec_fetch_site": "same-site"}, "another site"),  # another port of this machine
        ({"x_rarebird_token": None}, "token"),
        ({"x_rarebird_token": ""}, "token"),
        ({"x_rarebird_token": TOKEN[:-1]}, "token"),
        ({"x_rarebird_token": f"{TOKEN}x"}, "token"),
        ({"x_rarebird_token": "ä".encode()}, "token"),
        ({"x_rarebird_token": None, "cookie": f"{cookie_name(1)}={TOKEN}"}, "token"),
        ({"x_rarebird_token": None, "cookie": f"{cookie_name(PORT)}=x"}, "token"),
        ({"x_rarebird_token": None, "cookie": "="}, "token"),
    ],
)
def test_other_requests_are_refused(client, headers, message):
    for method in ("GET", "POST", "OPTIONS"):
        answer = request(
            client,
            method=method,
            **{name.replace("x_rarebird", "x-rarebird"): value for name, value in headers.items()},
        )
        assert answer.status_code == 403 and message in answer.json()["error"]
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_two_hosts_are_refused(client):
    answer = client.get("/", headers=[("host", OWN), ("host", "evil.example"), ("x-rarebird-token", TOKEN)])
    assert answer.status_code == 403 and "Host" in answer.json()["error"]


def test_the_token_may_be_in_the_cookie_and_only_for_the_page_in_the_url(client):
    assert request(client, x_rarebird_token=None, cookie=f"a=b; {cookie_name(PORT)}={TOKEN}").status_code == 200
    foreign = 'seen={"a": 1, "b": [2]}'  # of another server on this machine, which RFC 6265 forbids
    assert request(client, x_rarebird_token=None, cookie=f"{foreign}; {cookie_name(PORT)}={TOKEN}").status_code == 200
    assert request(client, f"/?token={TOKEN}", x_rarebird_token=None).status_code == 200
    assert request(client, f"/?token={TOKEN}", x_rarebird_token=None, sec_fetch_site="cross-site").status_code == 200
    assert request(client, f"/?token={TOKEN}", "POST", x_rarebird_token=None).status_code == 403
    assert request(client, f"/api/session?token={TOKEN}", x_rarebird_token=None).status_code == 403
    assert request(client, "/?token=", x_rarebird_token=None).status_code == 403


def test_all_responses_have_the_headers_that_restrict_browsers(client):
    for answer in (request(client), request(client, x_rarebird_token=None)):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert HEADERS["Content-Security-Policy"].startswith("default-src 'self';")
