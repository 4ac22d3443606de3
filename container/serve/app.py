"""The server's ASGI app with its paths (/ping, /invocations, /models, ...)."""

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
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from container.http.app import make_app
from container.http.errors import RETRY_AFTER, RequestError
from container.http.json_body import json_response
from container.http.limits import MIB, Capacity, Reservation
from container.http.request_body import BodyLimits, body_chunks, read_body
from container.serve.errors import NotEnoughMemory, Unavailable
from container.serve.health import ModelHealth
from container.serve.models import (
    ONLY_MODEL,
    AlreadyLoaded,
    LoadedModel,
    LoadedModels,
)
from container.serve.openapi import description
from container.serve.process_pool import ProcessPool
from container.serve.request_body import Invocation, body_type, read_invocation
from container.serve.responses import CSV, Answer, encode_answers, negotiate_format
from container.serve.telemetry import Counters
from model.errors import InputError
from model.settings.serve import ServeSettings

MAX_TRANSFORM_MB = 100  # MaxConcurrentTransforms * MaxPayloadInMB of a batch transform, and MaxPayloadInMB itself
MAX_LOAD_BODY = MIB  # bytes of a request that loads a model

log = logging.getLogger("rarebird")


class Server:
    """The handlers of all paths and the state that they share.

    Args:
        settings: The server's settings.
        folder: The model's folder; None for the models that the settings name, or to start without a model.
        on_failure: Called with the exception if the model cannot be loaded or fails again and again. The server must
            end then. May be called in any thread.
        processes: Number of model processes; 1 to load the model in this process.
    """

    def __init__(
        self, settings: ServeSettings, folder: Path | None, on_failure: Callable[[Exception], None], processes: int = 1
    ):
        self.settings, self.folder, self.on_failure = settings, folder, on_failure
        self.counters = Counters()
        self.models: LoadedModels | ProcessPool
        if processes > 1:
            self.models = ProcessPool(settings, self.counters, on_failure, processes)
        else:
            health = ModelHealth(settings.max_faults, self.counters.faults.inc, on_failure)
            self.models = LoadedModels(settings, self.counters.batches.observe, health)
        self.bodies = Capacity(settings.max_pending_mb * MIB)
        self.images = Capacity(settings.max_queue)
        self.max_body = (settings.max_payload_mb or settings.max_pending_mb) * MIB
        self.counters.gauge("rarebird_waiting_pictures", "Images waiting for prediction", lambda: self.images.used)
        self.counters.gauge("rarebird_held_bytes", "Bytes of request bodies in memory", lambda: self.bodies.used)
        self.counters.gauge("rarebird_loaded_models", "Loaded models", lambda: len(self.models.loaded))

    def app(self) -> Starlette:
        """The ASGI app."""
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
                Route("/models/{name}", self.describe_model),
                Route("/models/{name}", self.unload_model, methods=["DELETE"]),
                Route("/models/{name}/invoke", self.invoke_model, methods=["POST"]),
            ]
        return make_app(routes, self.counters, self.lifespan)

    def lifespan(self, app: Starlette) -> AbstractAsyncContextManager[None]:
        """Starts to load the model when the server starts, and stops the models when it ends."""
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
            await self.models.start(self.folder)
        except Exception as error:
            self.on_failure(error)

    async def ping(self, request: Request) -> Response:
        """The health check: 200 if requests can be answered, otherwise 503."""
        return Response(status_code=200 if self.models.is_ready else 503)

    async def execution_parameters(self, request: Request) -> Response:
        """The parameters of batch transforms. BatchStrategy is missing: by default SageMaker sends one object per
        request, and the local mode of its SDK accepts only its own spelling of the values."""
        payload_mb = min(self.max_body // MIB, MAX_TRANSFORM_MB)
        transforms = max(1, MAX_TRANSFORM_MB // payload_mb)
        return json_response({"MaxConcurrentTransforms": transforms, "MaxPayloadInMB": payload_mb})

    async def metrics(self, request: Request) -> Response:
        return Response(self.counters.text(), media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, request: Request) -> Response:
        return json_response(description(self.settings.multi_model))

    async def invocations(self, request: Request) -> Response:
        """Predicts with the only model of this server."""
        if self.settings.multi_model:
            raise RequestError(404, "this server has several models: use POST /models/NAME/invoke")
        if ONLY_MODEL not in self.models.loaded:
            raise RequestError(503, "the model is still loading", RETRY_AFTER)
        return await self.invoke(request, self.models.loaded[ONLY_MODEL])

    async def invoke(self, request: Request, loaded: LoadedModel) -> Response:
        """Predicts the images of a request.

        Args:
            request: The request.
            loaded: The model.
        """
        response_format = negotiate_format(request.headers.getlist("accept"), self.settings.accept)
        content_type = body_type(request.headers)
        limits = BodyLimits(self.max_body, self.settings.body_timeout, "max_payload_mb")
        with loaded.in_use(), self.bodies.reservation() as held, self.images.reservation() as waiting:
            try:
                chunks = body_chunks(request, limits, held)
                invocation = await read_invocation(request, content_type, chunks, self.settings.max_queue)
                answers = await self.predict(loaded, invocation, waiting)
            except RequestError as error:
                if not self.settings.batch or error.status not in (400, 422):
                    raise
                invocation, answers = Invocation([error], [{}], is_single=True), [Answer(None, str(error))]
        unreadable = sum(answer.probabilities is None for answer in answers)
        self.counters.images.labels("answered").inc(len(answers) - unreadable)
        self.counters.images.labels("unreadable").inc(unreadable)
        request.state.pictures, request.state.unreadable = len(answers), unreadable
        body = encode_answers(
            answers, invocation.is_single, response_format, loaded.model.scheme, loaded.model.decision
        )
        is_csv = response_format.media_type == CSV
        return Response(body, media_type=f"{CSV}; charset=utf-8" if is_csv else response_format.media_type)

    async def predict(self, loaded: LoadedModel, invocation: Invocation, waiting: Reservation) -> list[Answer]:
        """Predicts the images of a request, in order.

        Args:
            loaded: The model.
            invocation: The content of the request.
            waiting: The request's reservation of the capacity for images.

        Raises:
            RequestError: 503, too many images are waiting, the prediction takes too long, or the model cannot predict
                now; 400, the only image of a request cannot be read.
        """
        number = len(invocation.images)
        if not waiting.add(number):
            raise RequestError(503, "too many images are waiting", RETRY_AFTER)

        async def predict_one(row: int) -> Answer:
            image, metadata = invocation.images[row], invocation.metadata[row]
            try:
                if isinstance(image, RequestError):
                    raise image
                predicted = await loaded.batcher(image, row, metadata)
                return Answer(predicted.probabilities, "", metadata, predicted.numbers)
            except RequestError as error:
                return Answer(None, str(error), metadata)

        try:
            async with asyncio.timeout(self.settings.timeout), asyncio.TaskGroup() as group:
                tasks = [group.create_task(predict_one(row)) for row in range(number)]
        except TimeoutError:
            raise RequestError(503, f"no prediction within {self.settings.timeout:g} s", RETRY_AFTER) from None
        except ExceptionGroup as errors:
            if unavailable := errors.subgroup(Unavailable):
                raise RequestError(503, str(unavailable.exceptions[0]), RETRY_AFTER) from None
            raise
        answers = [task.result() for task in tasks]
        if invocation.is_single and answers[0].probabilities is None:
            raise RequestError(400, answers[0].error)
        return answers

    async def list_models(self, request: Request) -> Response:
        """Lists `limit` models, starting at `next_page_token`; both are optional."""
        names = sorted(self.models.loaded)
        query = request.query_params
        token, limit = query.get("next_page_token", "0"), query.get("limit", str(max(1, len(names))))
        if not all(re.fullmatch("[0-9]{1,9}", number) for number in (token, limit)) or not int(limit):
            values = f"next_page_token={token[:50]!r}, limit={limit[:50]!r}"
            raise RequestError(400, f"{values}: expected whole numbers, and at least 1 for `limit`")
        first, end = int(token), int(token) + int(limit)
        page: dict[str, Any] = {"models": [self._description(name) for name in names[first:end]]}
        return json_response({**page, "nextPageToken": str(end)} if end < len(names) else page)

    async def load_model(self, request: Request) -> Response:
        """Loads a model from a folder under a name; the body has both as JSON."""
        with self.bodies.reservation() as held:
            body = await read_body(request, BodyLimits(MAX_LOAD_BODY, self.settings.body_timeout), held)
        try:
            content = json.loads(body)
            name, url = content["model_name"], content["url"]
            if not (isinstance(name, str) and isinstance(url, str) and name and url and "/" not in name):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise RequestError(400, 'expected {"model_name": NAME, "url": FOLDER}') from None
        try:
            await self.models.load(name, Path(url))
        except AlreadyLoaded as error:
            raise RequestError(409, str(error)) from None
        except NotEnoughMemory as error:
            raise RequestError(507, str(error)) from None
        except Unavailable as error:
            raise RequestError(503, str(error), RETRY_AFTER) from None
        except (InputError, OSError) as error:
            raise RequestError(400, str(error)) from None
        except Exception as error:  # of a library, because the model's files are damaged
            log.warning("the model in %s cannot be loaded", url, exc_info=error)
            message = f"the model in {url} cannot be loaded: {type(error).__name__}: {error}"
            raise RequestError(400, message) from None
        return json_response(self._description(name))

    async def describe_model(self, request: Request) -> Response:
        return json_response(self._description(self._name(request)))

    async def unload_model(self, request: Request) -> Response:
        """Unloads a model, after its requests are answered."""
        name = self._name(request)
        content = self._description(name)
        await self.models.unload(name)
        return json_response(content)

    async def invoke_model(self, request: Request) -> Response:
        """Predicts with the model that the path names."""
        return await self.invoke(request, self.models.loaded[self._name(request)])

    def _name(self, request: Request) -> str:
        """The name in the request's path. RequestError, 404, if no model with that name is loaded."""
        name = str(request.path_params["name"])
        if name not in self.models.loaded:
            raise RequestError(404, f"no model with the name {name[:200]!r} is loaded")
        return name

    def _description(self, name: str) -> dict[str, str]:
        return {"modelName": name, "modelUrl": self.models.loaded[name].url}
