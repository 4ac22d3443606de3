"""The paths of the server, as an ASGI app."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from container.serve.errors import AGAIN, Refused
from container.serve.limits import MIB, NoMemory, Room, Share
from container.serve.models import ONLY, AlreadyLoaded, Loaded, Models, apart, prepare
from container.serve.openapi import description
from container.serve.request_body import JSON, Asked, body_pieces, discard, media_type, read_asked
from container.serve.responses import Answer, Form, accepted, json_bytes, written
from container.serve.telemetry import GONE, Counters, Watching
from model.errors import InputError
from model.settings.serve import ServeSettings

MOST_TRANSFORMS_MB = 100  # MaxConcurrentTransforms * MaxPayloadInMB of a batch transform, and MaxPayloadInMB itself
SMALL_BODY = MIB  # of a request that loads a model

log = logging.getLogger("rarebird")


class Server:
    """place: of the model, None where the settings name several; failed: hears why the model cannot be loaded."""

    def __init__(self, settings: ServeSettings, place: Path | None, failed: Callable[[Exception], None]):
        self.settings, self.place, self.failed = settings, place, failed
        self.counters = Counters()
        self.models = Models(settings, self.counters)
        self.ready = False
        self.bodies = Room(settings.max_pending_mb * MIB)
        self.pictures = Room(settings.max_queue)
        self.most = (settings.max_payload_mb or settings.max_pending_mb) * MIB
        self.counters.gauge("rarebird_waiting_pictures", "Pictures that wait", lambda: self.pictures.taken)
        self.counters.gauge("rarebird_held_bytes", "Bytes of bodies held", lambda: self.bodies.taken)
        self.counters.gauge("rarebird_loaded_models", "Models loaded", lambda: len(self.models.loaded))

    def app(self) -> Starlette:
        routes = [
            Route("/ping", self.ping),
            Route("/execution-parameters", self.execution_parameters),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.openapi),
            Route("/invocations", self.invocations, methods=["POST"]),
        ]
        if self.settings.multi_model:
            routes += [
                Route("/models", self.list_models),
                Route("/models", self.load_model, methods=["POST"]),
                Route("/models/{name}", self.tell_model),
                Route("/models/{name}", self.unload_model, methods=["DELETE"]),
                Route("/models/{name}/invoke", self.invoke_model, methods=["POST"]),
            ]
        app = Starlette(
            routes=routes,
            middleware=[Middleware(Watching, counters=self.counters)],
            exception_handlers={Refused: refused, HTTPException: unknown, ClientDisconnect: gone, Exception: fault},
            lifespan=self.lifespan,
        )
        app.router.redirect_slashes = False
        return app

    def lifespan(self, app: Starlette) -> AbstractAsyncContextManager[None]:
        return self._lifespan()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        loading = asyncio.create_task(self._load())
        try:
            yield
        finally:
            loading.cancel()
            await self.models.close()

    async def _load(self) -> None:
        try:
            if self.settings.multi_model:
                await apart(prepare)
                log.info("ready to load models")
            else:
                loaded = await self.models.load(ONLY, self.place)
                log.info("ready; model %s", loaded.served)
            self.ready = True
        except Exception as error:
            self.failed(error)

    async def ping(self, request: Request) -> Response:
        return Response(status_code=200 if self.ready else 503)

    async def execution_parameters(self, request: Request) -> Response:
        """Without BatchStrategy: SageMaker's default sends an object a request, and the local mode of its SDK takes
        no spelling of it but its own."""
        most = min(self.most // MIB, MOST_TRANSFORMS_MB)
        return answer({"MaxConcurrentTransforms": max(1, MOST_TRANSFORMS_MB // most), "MaxPayloadInMB": most})

    async def metrics(self, request: Request) -> Response:
        return Response(self.counters.text(), media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, request: Request) -> Response:
        return answer(description(self.settings.multi_model))

    async def invocations(self, request: Request) -> Response:
        if self.settings.multi_model:
            raise Refused(404, "several models are served here: POST /models/NAME/invoke")
        if not self.ready:
            raise Refused(503, "the model is being loaded", AGAIN)
        return await self.invoke(request, self.models.loaded[ONLY])

    async def invoke(self, request: Request, loaded: Loaded) -> Response:
        form = accepted(request.headers.getlist("accept"), self.settings.accept)
        kind = media_type(request.headers)
        with loaded.used(), self.bodies.share() as held, self.pictures.share() as waiting:
            try:
                pieces = body_pieces(request, self.most, self.settings.body_timeout, held)
                asked = await read_asked(request, kind, pieces, self.settings.max_queue)
                answers = await self.answered(loaded, asked, waiting)
            except Refused as error:
                if not self.settings.batch or error.status not in (400, 422):
                    raise
                asked, answers = Asked([error], [{}], alone=True), [Answer(None, str(error))]
        unreadable = sum(answer.probabilities is None for answer in answers)
        self.counters.pictures.labels("answered").inc(len(answers) - unreadable)
        self.counters.pictures.labels("unreadable").inc(unreadable)
        request.state.pictures, request.state.unreadable = len(answers), unreadable
        return Response(written(answers, asked.alone, form, loaded.served.scheme), media_type=_told(form))

    async def answered(self, loaded: Loaded, asked: Asked, waiting: Share) -> list[Answer]:
        """Refused: 503 where others wait already or it takes too long, 400 for the one picture of a request that
        cannot be read."""
        number = len(asked.pictures)
        if not waiting.take(number):
            raise Refused(503, "too many pictures wait", AGAIN, read=True)

        async def one(row: int) -> Answer:
            picture, metadata = asked.pictures[row], asked.metadata[row]
            try:
                if isinstance(picture, Refused):
                    raise picture
                return Answer(await loaded.batcher(picture, row), "", metadata)
            except Refused as error:
                return Answer(None, str(error), metadata)

        try:
            async with asyncio.timeout(self.settings.timeout), asyncio.TaskGroup() as group:
                asking = [group.create_task(one(row)) for row in range(number)]
        except TimeoutError:
            raise Refused(503, f"no answer within {self.settings.timeout:g} s", AGAIN, read=True) from None
        answers = [task.result() for task in asking]
        if asked.alone and answers[0].probabilities is None:
            raise Refused(400, answers[0].error, read=True)
        return answers

    async def list_models(self, request: Request) -> Response:
        """A page of `limit` models from `next_page_token` on, both optional."""
        names = sorted(self.models.loaded)
        query = request.query_params
        first, most = query.get("next_page_token", "0"), query.get("limit", str(max(1, len(names))))
        if not all(re.fullmatch("[0-9]{1,9}", number) for number in (first, most)) or not int(most):
            raise Refused(400, f"next_page_token={first[:50]!r}, limit={most[:50]!r}: expected whole numbers")
        last = int(first) + int(most)
        told: dict[str, Any] = {"models": [self._told_model(name) for name in names[int(first) : last]]}
        return answer({**told, "nextPageToken": str(last)} if last < len(names) else told)

    async def load_model(self, request: Request) -> Response:
        with self.bodies.share() as held:
            pieces = body_pieces(request, SMALL_BODY, self.settings.body_timeout, held)
            body = b"".join([piece async for piece in pieces])
        try:
            content = json.loads(body)
            name, url = content["model_name"], content["url"]
            if not (isinstance(name, str) and isinstance(url, str) and name and url and "/" not in name):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused(400, 'expected {"model_name": NAME, "url": FOLDER}', read=True) from None
        try:
            await self.models.load(name, Path(url))
        except AlreadyLoaded as error:
            raise Refused(409, str(error), read=True) from None
        except NoMemory as error:
            raise Refused(507, str(error), read=True) from None
        except (InputError, OSError) as error:
            raise Refused(400, str(error), read=True) from None
        except Exception as error:  # what its files lead libraries to
            log.warning("the model in %s cannot be loaded", url, exc_info=error)
            told = f"the model in {url} cannot be loaded: {type(error).__name__}: {error}"
            raise Refused(400, told, read=True) from None
        return answer(self._told_model(name))

    async def tell_model(self, request: Request) -> Response:
        return answer(self._told_model(self._named(request)))

    async def unload_model(self, request: Request) -> Response:
        name = self._named(request)
        told = self._told_model(name)
        await self.models.unload(name)
        return answer(told)

    async def invoke_model(self, request: Request) -> Response:
        return await self.invoke(request, self.models.loaded[self._named(request)])

    def _named(self, request: Request) -> str:
        name = str(request.path_params["name"])
        if name not in self.models.loaded:
            raise Refused(404, f"no model {name[:200]!r} is loaded")
        return name

    def _told_model(self, name: str) -> dict[str, str]:
        return {"modelName": name, "modelUrl": self.models.loaded[name].url}


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json_bytes(content), status, headers, JSON)


def _told(form: Form) -> str:
    return form.media_type if form.media_type != "text/csv" else "text/csv; charset=utf-8"


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    headers = error.headers
    if not error.read and ("transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"):
        headers["Connection"] = "close"
        await discard(request)
    request.state.error = str(error)[:200]
    return answer({"error": str(error)}, error.status, headers)


async def unknown(request: Request, error: Exception) -> Response:
    """404 and 405 of the routes."""
    assert isinstance(error, HTTPException)
    text = f"{request.method[:20]} {request.scope['path'][:200]}: {error.detail}"
    return await refused(request, Refused(error.status_code, text, error.headers))


async def gone(request: Request, error: Exception) -> Response:
    """Nobody is there to read it."""
    return Response(status_code=GONE)


async def fault(request: Request, error: Exception) -> Response:
    return answer({"error": "a fault of the server; its log tells more"}, 500)
