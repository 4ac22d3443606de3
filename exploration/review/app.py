"""The HTTP routes of the review: the page, the session, images, decisions, progress and search."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from container.http.app import make_app
from container.http.errors import RequestError
from container.http.json_body import JSON, json_bytes, json_response, parse_json
from container.http.limits import Capacity
from container.http.request_body import BodyLimits, media_type, read_body
from container.http.telemetry import Telemetry
from exploration.review.filters import search_rows
from exploration.review.posted import posted_decision
from exploration.review.progress import ReviewProgress
from exploration.review.review_data import ReviewData
from exploration.review.security import Guard, cookie_name
from exploration.review.store import ConflictError, Content, DecisionStore, NothingToUndo, StoreError
from exploration.review.thumbnails import SIDES, ReviewImages
from model.cleaning.audit import Audit
from model.errors import InputError
from model.images.decode import UnreadableImage

if TYPE_CHECKING:
    from exploration.review.heat_images import HeatImages

PAGE = Path(__file__).parent / "page"
HTML = "review.html"
STATIC = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # by extension
MAX_BODY = 64 << 10  # bytes
BODY_SECONDS = 10.0
MAX_FOUND = 500  # rows of a search
MAX_ROWS = 200  # of one request for the labels of several images
IMAGE_CACHE = {"Cache-Control": "private, max-age=3600"}
NO_STORE = {"Cache-Control": "no-store"}


@dataclass
class ReviewApp:
    """The app of one review.

    Attributes:
        data: What is reviewed.
        store: The decisions.
        images: The images as JPEGs.
        token: The secret that requests need.
        port: Port of the server.
        audit: The audit whose estimates the page shows, if there is one.
        heat: The heat maps of a model; None without one.
        clock: Returns the time in seconds since 1970.
        saved: Number of decisions that this server has saved.
    """

    data: ReviewData
    store: DecisionStore
    images: ReviewImages
    token: str
    port: int
    audit: Audit | None = None
    heat: HeatImages | None = None
    clock: Callable[[], float] = time.time
    saved: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.progress = ReviewProgress(self.data, self.audit)
        self._bodies = Capacity(16 * MAX_BODY)
        self._limits = BodyLimits(MAX_BODY, BODY_SECONDS)

    def close(self) -> None:
        """Ends the threads that make images."""
        self.images.close()
        if self.heat is not None:
            self.heat.close()

    def app(self) -> Starlette:
        """The ASGI app."""
        routes = [
            Route("/", self._page),
            Route("/static/{name}", self._static),
            Route("/api/session", self._session),
            Route("/api/image/{row}", self._image),
            Route("/api/images", self._rows),
            Route("/image/{row}", self._jpeg),
            Route("/heat/{row}", self._heat),
            Route("/api/decisions", self._decisions),
            Route("/api/decisions", self._decide, methods=["POST"]),
            Route("/api/progress", self._progress),
            Route("/api/search", self._search),
        ]
        for route in routes:
            route.methods = (route.methods or set()) - {"HEAD"}
        guard = Middleware(Guard, token=self.token, port=self.port)
        return make_app(routes, Telemetry(_template), middleware=[guard])

    # sync handlers run in threads, because they read files

    def _page(self, request: Request) -> Response:
        response = Response(_file(HTML), media_type="text/html", headers=NO_STORE)
        response.set_cookie(cookie_name(self.port), self.token, httponly=True, samesite="strict")
        return response

    def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        media_type = STATIC.get(Path(name).suffix)
        if media_type is None or name not in {entry.name for entry in PAGE.iterdir()}:
            raise RequestError(404, "there is no such file")
        return Response(_file(name), media_type=media_type, headers={"Cache-Control": "no-cache"})

    def _session(self, request: Request) -> Response:
        with _readable(self.store) as content:
            now: dict[str, Any] = {"sequence": content.rows, "generation": content.generation}
        now["audit"] = self._progress_dict()["audit"]
        start = self._session_start
        body = start + b", " + json_bytes(now)[1:]
        headers = {**NO_STORE, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=JSON, headers=headers)

    @cached_property
    def _session_start(self) -> bytes:
        """The JSON of the session without its end."""
        return json_bytes({**self.data.session, "heat": self.heat is not None})[:-1]

    def _image(self, request: Request) -> Response:
        row = self._row(request.path_params["row"])
        try:
            width, height = self.images.dimensions(row)
        except UnreadableImage as error:
            raise RequestError(404, f"row {row}: {error}") from None
        return json_response({**self.data.image_json(row), "width": width, "height": height}, headers=NO_STORE)

    def _rows(self, request: Request) -> Response:
        texts = request.query_params.get("rows", "").split(",")
        if len(texts) > MAX_ROWS:
            raise RequestError(400, f"{len(texts)} rows; at most {MAX_ROWS} are allowed")
        return json_response({"images": [self.data.image_json(self._row(text)) for text in texts]}, headers=NO_STORE)

    async def _jpeg(self, request: Request) -> Response:
        row, size = self._row(request.path_params["row"]), request.query_params.get("size", "thumb")
        if size not in SIDES:
            raise RequestError(400, f"size {size[:20]!r}, expected thumb or large")
        try:
            content = await asyncio.wrap_future(self.images.jpeg(row, size))
        except UnreadableImage as error:
            raise RequestError(404, f"row {row}: {error}") from None
        return Response(content, media_type="image/jpeg", headers=IMAGE_CACHE)

    async def _heat(self, request: Request) -> Response:
        row = self._row(request.path_params["row"])
        if self.heat is None:
            raise RequestError(404, "there are no heat maps without --model, the folder of a saved model")
        attribute, value = (request.query_params.get(name, "") for name in ("attribute", "value"))
        try:
            content = await asyncio.wrap_future(self.heat.jpeg(row, attribute, value))
        except (InputError, UnreadableImage) as error:
            raise RequestError(404, f"row {row}: {error}") from None
        return Response(content, media_type="image/jpeg", headers=IMAGE_CACHE)

    def _row(self, text: str) -> int:
        """A row of the table from a request."""
        if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) < len(self.data.labels.paths)):
            raise RequestError(404, f"there is no image {text[:20]!r}")
        return int(text)

    def _decisions(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) < 12):
            raise RequestError(400, f"after {after[:20]!r}, expected a whole number")
        with _readable(self.store) as content:
            first = int(after) if int(after) <= content.rows else 0  # the file is another one
            new = [row for row in content.decisions if row.line > first]
            generation, rows = content.generation, content.rows
        decisions = [self.data.decision_json(row) for row in new]
        return json_response({"sequence": rows, "generation": generation, "decisions": decisions}, headers=NO_STORE)

    async def _decide(self, request: Request) -> Response:
        if media_type(request.headers) != JSON:
            raise RequestError(415, f"expected Content-Type {JSON}")
        with self._bodies.reservation() as held:
            body = parse_json(await read_body(request, self._limits, held))
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        posted = posted_decision(body, self.data, now)
        try:
            saved, others = await run_in_threadpool(self.store.append, posted.decision, posted.after, posted.window)
        except ConflictError as conflict:
            current = self.data.decision_json(conflict.current)
            return json_response({"error": str(conflict), "current": current}, 409)
        except NothingToUndo:
            raise RequestError(400, f"{posted.decision.reviewer} has nothing to undo here") from None
        except StoreError as error:
            raise RequestError(500, str(error)) from None
        self.saved += 1
        decision = {**self.data.decision_json(saved), **({} if posted.item is None else {"item": posted.item})}
        shown = [self.data.decision_json(row) for row in others]
        return json_response({"sequence": saved.line, "decision": decision, "others": shown})

    def _progress(self, request: Request) -> Response:
        return json_response(self._progress_dict(), headers=NO_STORE)

    def _progress_dict(self) -> dict[str, Any]:
        with _readable(self.store) as content:
            decisions, version = list(content.decisions), (content.generation, content.rows)
        return self.progress.to_dict(decisions, version, self.clock())

    def _search(self, request: Request) -> Response:
        rows = search_rows(self.data.labels, request.query_params.get("q", ""))
        return json_response({"rows": rows[:MAX_FOUND], "total": len(rows)}, headers=NO_STORE)


@contextmanager
def _readable(store: DecisionStore) -> Iterator[Content]:
    """DecisionStore.reading, whose errors become responses."""
    try:
        with store.reading() as content:
            yield content
    except StoreError as error:
        raise RequestError(500, str(error)) from None


def _file(name: str) -> bytes:
    return (PAGE / name).read_bytes()


def _template(path: str) -> str:
    """The label of a path in the counters."""
    parts = path.split("/")
    return f"/{parts[1]}" if len(parts) > 1 and parts[1] in ("", "static", "api", "image", "heat") else "other"
