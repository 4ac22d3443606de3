"""Guard: lets only requests of the server's own page through, and adds headers that keep browsers from doing more.

A page of another site can make the browser send requests to 127.0.0.1. It knows no token, and the browser names the
site in Origin or Sec-Fetch-Site. With DNS rebinding it names itself in Host.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from container.http.json_body import json_response

TOKEN_HEADER, TOKEN_PARAMETER = "x-rarebird-token", "token"
HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def cookie_name(port: int) -> str:
    """The name of the cookie of the server at a port. Browsers send the cookies of one port to all ports of a host."""
    return f"rarebird_token_{port}"


class Guard:
    """Answers requests that are not from the server's own page with 403.

    Args:
        app: The app.
        token: The secret of the server.
        port: Port of the server.
    """

    def __init__(self, app: ASGIApp, token: str, port: int):
        self.app, self.token, self.cookie = app, token, cookie_name(port)
        suffixes = [f":{port}", ""] if port == 80 else [f":{port}"]
        self.hosts = {host + suffix for host in HOSTS for suffix in suffixes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        reason = self._refusal(scope)
        if reason:
            scope.setdefault("state", {})["error"] = reason
            await json_response({"error": reason}, 403)(scope, receive, guarded_send)
            return
        await self.app(scope, receive, guarded_send)

    def _refusal(self, scope: Scope) -> str:
        """Why a request is refused; "" if it is not."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return "the Host is not that of this server"
        origins = headers.getlist("origin")
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
            return "the Origin is not this server's page"
        opens_page = scope["path"] == "/" and scope["method"] == "GET"  # also by a link elsewhere, if it has the token
        if not opens_page and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "the request is from another site"
        # SimpleCookie would drop all cookies if another server on this machine has set one that RFC 6265 forbids
        cookies = cookie_parser(headers.get("cookie", ""))
        given = [headers.get(TOKEN_HEADER, ""), cookies.get(self.cookie, "")]
        if opens_page:
            given.append(QueryParams(scope["query_string"]).get(TOKEN_PARAMETER, ""))
        if not any(hmac.compare_digest(_bytes(text), _bytes(self.token)) for text in given):
            return "the token is missing or wrong: open the URL that `python -m exploration review` printed"
        return ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
