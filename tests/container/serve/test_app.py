"""/invocations: accepted and refused bodies, formats of responses, and the same predictions as the Python API."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from starlette.testclient import TestClient

from container.serve.app import Server
from container.serve.models import ONLY_MODEL, LoadedModel
from container.serve.request_body import Invocation
from model.labels import mask_scheme
from model.prediction.api import predict
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from tests.container.serve.conftest import IMAGE, ask

NAMES = mask_scheme().class_names
ACCEPTS = ["application/json", "application/json;verbose", "application/jsonlines", "text/csv"]


def text(image: bytes) -> str:
    return base64.b64encode(image).decode()


def bodies(images: list[bytes]) -> dict[str, tuple[dict[str, str], bytes, int]]:
    """By name: the headers, the body, and the number of images in it."""
    jpeg, png, webp = images[:3]
    boundary = b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n"
    form = b"".join(boundary + image + b"\r\n" for image in (jpeg, png)) + b"--x--\r\n"
    json_type = {"Content-Type": "application/json"}
    return {
        "image/jpeg": ({"Content-Type": "image/jpeg"}, jpeg, 1),
        "image/png": ({"Content-Type": "image/png"}, png, 1),
        "image/webp": ({"Content-Type": "image/webp"}, webp, 1),
        "application/x-image": ({"Content-Type": "application/x-image"}, jpeg, 1),
        "upper case and a parameter": ({"Content-Type": "Image/JPEG; q=1"}, jpeg, 1),
        "no type": ({}, jpeg, 1),
        "base64": (json_type, json.dumps(text(jpeg)).encode(), 1),
        "data URL": (json_type, json.dumps(f"data:image/jpeg;base64,{text(jpeg)}").encode(), 1),
        "base64 in lines": (json_type, json.dumps(base64.encodebytes(jpeg).decode()).encode(), 1),
        "object": (json_type, json.dumps({"image": text(jpeg)}).encode(), 1),
        "TensorFlow's object": (json_type, json.dumps({"instances": [{"b64": text(jpeg)}, text(png)]}).encode(), 2),
        "list": (json_type, json.dumps([text(jpeg), {"image": text(png)}]).encode(), 2),
        "form": ({"Content-Type": "multipart/form-data; boundary=x"}, form, 2),
    }


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("name", list(bodies([b""] * 3)))
def test_every_type_of_body_is_answered_in_every_format(serving, images, expected, name, accept):
    headers, body, number = bodies(images)[name]
    response = serving().post("/invocations", content=body, headers={**headers, "Accept": accept})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith(accept.partition(";")[0])
    first = images.index(body) if body in images else 0
    if accept == "text/csv":
        rows = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(response.text))]
    else:
        predictions = [json.loads(line) for line in response.text.splitlines()]
        if accept.startswith("application/json") and accept != "application/jsonlines" and number > 1:
            predictions = predictions[0]["predictions"]
        assert all((set(one) == {"probabilities"}) == (accept != "application/json;verbose") for one in predictions)
        rows = [one["probabilities"] for one in predictions]
    np.testing.assert_allclose(rows, expected[first : first + number], atol=1e-5)


def test_a_verbose_response_has_class_names_and_attributes(serving, images, expected):
    accept = {"Content-Type": "image/jpeg", "Accept": "application/json;verbose"}
    answer = serving().post("/invocations", content=images[0], headers=accept).json()
    best = int(expected[0].argmax())
    codes = mask_scheme().split(best)
    assert set(answer) == {"probabilities", "labels", "predicted_label", "attributes"}
    assert (answer["labels"], answer["predicted_label"]) == (NAMES, NAMES[best])
    assert answer["attributes"] == {of.name: of.values[codes[of.name]] for of in mask_scheme().attributes}


@pytest.mark.parametrize(
    ("accept", "default", "media_type"),
    [
        (None, None, "application/json"),
        ("*/*", None, "application/json"),
        ("", "text/csv", "text/csv"),
        ("*/*", "application/jsonlines", "application/jsonlines"),
        ("text/*", None, "text/csv"),
        ("application/json; verbose; q=0.5, text/csv;q=0.4", None, "application/json"),
        ("image/png, text/csv;q=0.1", None, "text/csv"),
        ("application/json;q=0, text/csv;q=0.1", None, "text/csv"),
        ("application/json;q=0, */*", None, "text/csv"),
        ("*/*, application/json;q=0", None, "text/csv"),
        ("*/*, application/*;q=0", "application/jsonlines", "text/csv"),
        ("application/*;q=0, application/json;q=0.1", None, "application/json"),
        ("*/*;q=0, text/csv;q=0.1", None, "text/csv"),
        (["image/png", "text/csv"], None, "text/csv"),
        (["application/json;q=0.5", "", "text/csv"], None, "text/csv"),
        (["", ""], "text/csv", "text/csv"),
    ],
)
def test_the_response_has_the_format_that_the_client_prefers(serving, images, accept, default, media_type):
    client = serving(**({"accept": default} if default else {}))
    predictions = [] if accept is None else [accept] if isinstance(accept, str) else accept
    headers = [("Content-Type", "image/jpeg"), *(("Accept", one) for one in predictions)]
    response = client.post("/invocations", content=images[0], headers=headers)
    assert response.status_code == 200 and response.headers["content-type"].partition(";")[0] == media_type


def test_metadata_is_sent_back(serving, images):
    client = serving()
    item = {"image": text(images[0]), "age": 31, "note": ["ä", None, "\ud800"]}
    body = json.dumps([item, {"b64": text(images[1])}])  # with half a surrogate pair, escaped
    predictions = client.post("/invocations", content=body, headers=JSON).json()["predictions"]
    assert predictions[0]["metadata"] == {"age": 31, "note": ["ä", None, "\ud800"]} and "metadata" not in predictions[1]
    files = [("image", ("a.jpg", images[0])), ("image", ("b.png", images[1]))]
    predictions = client.post("/invocations", files=files, data={"age": ["31", "32"], "place": "x"}).json()[
        "predictions"
    ]
    assert [one["metadata"] for one in predictions] == [{"age": "31", "place": "x"}, {"age": "32", "place": "x"}]
    alone = client.post("/invocations", files=files[:1], data={"age": "31"}).json()
    assert alone["metadata"] == {"age": "31"} and len(alone["probabilities"]) == len(NAMES)


def test_an_unreadable_image_is_400_alone_and_an_error_entry_in_a_list(serving, images):
    client = serving()
    broken = images[0][: len(images[0]) // 2]
    alone = client.post("/invocations", content=broken, headers={"Content-Type": "image/jpeg"})
    assert alone.status_code == 400 and "truncated" in alone.json()["error"].lower()
    response = client.post("/invocations", json=[text(images[1]), text(broken), "%%%", text(images[2])])
    predictions = response.json()["predictions"]
    assert response.status_code == 200 and [list(one) for one in predictions] == [
        ["probabilities"],
        ["error"],
        ["error"],
        ["probabilities"],
    ]
    assert predictions[1]["error"] == alone.json()["error"] and predictions[2]["error"].startswith("not base64")
    rows = client.post("/invocations", json=[text(images[1]), text(b"no, image")], headers={"Accept": "text/csv"}).text
    first, second = csv.reader(io.StringIO(rows))
    assert len(first) == len(NAMES) and second == [*[""] * len(NAMES), "cannot be identified as an image"]


def test_in_a_batch_transform_an_unreadable_image_has_status_200(serving, images):
    client = serving(batch="True")
    for body, kind in [(b"no image", "image/jpeg"), (b"", "application/x-image"), (b"{", "application/json")]:
        response = client.post("/invocations", content=body, headers={"Content-Type": kind})
        assert response.status_code == 200 and list(response.json()) == ["error"]
    good = client.post("/invocations", content=images[0], headers={"Content-Type": "image/jpeg"})
    assert good.status_code == 200 and "probabilities" in good.json()
    assert client.post("/invocations", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        ({"Content-Type": "image/png"}, b"", 400, "empty file"),
        ({"Content-Type": "image/png"}, huge_png(100_000, 100_000), 400, "too large"),
        (JSON, b"", 400, "not JSON"),
        (JSON, b'{"image": NaN}', 400, "NaN"),
        (JSON, b'{"image": 1e999}', 400, "is too large"),
        (JSON, b"[" * 100_000, 400, "not JSON"),
        (JSON, b"\xff\xfe", 400, "not JSON"),
        (JSON, b'"%%%"', 400, "not base64"),
        (JSON, '"ä"'.encode(), 400, "not base64"),
        (JSON, b"[]", 422, "no image"),
        (JSON, b"{}", 422, "the object has nothing"),
        (JSON, b"5", 422, "not int"),
        (JSON, b"[null]", 422, "image 0: expected base64"),
        (JSON, b'[{"img": "AA=="}]', 422, "nearest: image"),
        (JSON, b'{"instence": ["AA=="]}', 422, "nearest: instances"),
        (JSON, b'{"instances": "AA=="}', 422, "or `instances` with a list"),
        (JSON, b'{"image": "AA==", "b64": "AA=="}', 422, "expected the key `image`"),
        (JSON, b"[" + b"1," * 200_000 + b"1]", 413, "200,0"),
        (JSON, b"[" + b'"",' * 600 + b'""]', 413, "601 images"),
        ({"Content-Type": "multipart/form-data"}, b"x", 400, "boundary"),
        (FORM, b"no form", 400, "not multipart/form-data"),
        (FORM, b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n", 422, "no part with a filename"),
        ({"Content-Type": "text/plain"}, b"x", 415, "text/plain"),
        ({"Content-Type": "image/jpgg"}, b"x", 415, "nearest: image/jpg"),
        ({"Content-Type": "image/png", "Content-Encoding": "gzip"}, b"x", 415, "gzip"),
        ({"Content-Type": "image/png", "Accept": "image/png"}, b"x", 406, "application/json;verbose"),
        ({"Content-Type": "image/png", "Accept": ";;,q=1"}, b"x", 406, "expected application/json"),
        ({"Content-Type": "image/png", "Accept": "*/*;q=0"}, b"x", 406, "expected application/json"),
    ],
)
def test_invalid_requests_have_a_status_and_a_message(serving, headers, body, status, message):
    response = serving().post("/invocations", content=body, headers=headers)
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"] and message in response.json()["error"]


def test_form_fields_belong_to_all_images_or_to_one_each(serving, images):
    files = [("image", ("a", images[0]))] * 3
    response = serving().post("/invocations", files=files, data={"age": ["1", "2"]})
    assert response.status_code == 422 and "the field age has 2 values for 3 images" in response.json()["error"]


def test_the_size_of_bodies_is_limited_by_the_setting(serving, images):
    client = serving(max_payload_mb=1)
    padded = images[1] + b"\0" * (1 << 20)
    response = client.post("/invocations", content=padded, headers={"Content-Type": "image/png"})
    assert response.status_code == 413 and "1 MiB" in response.json()["error"]
    in_pieces = (padded[first : first + 9999] for first in range(0, len(padded), 9999))
    assert client.post("/invocations", content=in_pieces, headers={"Content-Type": "image/png"}).status_code == 413


def test_a_body_of_25_mb_is_accepted(serving, images, expected):
    padded = images[1] + b"\0" * (25_000_000 - len(images[1]))
    response = serving().post("/invocations", content=padded, headers={"Content-Type": "image/png"})
    np.testing.assert_allclose(response.json()["probabilities"], expected[1], atol=1e-5)


def test_unknown_paths_and_methods_are_404_and_405(serving):
    client = serving()
    for method, path, status in [
        ("POST", "/ping", 405),
        ("GET", "/invocations", 405),
        ("GET", "/models", 404),
        ("POST", "/", 404),
        ("GET", "/ping/", 404),
    ]:
        response = client.request(method, path)
        assert response.status_code == status and path in response.json()["error"]


def test_views_and_ensembles_predict_like_the_python_api(serving, model, another_model, images):
    both = [str(model), f"{another_model}:2"]
    client = serving(None, models=both, num_tta=4)
    predictions = client.post("/invocations", json=[text(image) for image in images]).json()["predictions"]
    parts = []
    for folder in (model, another_model):
        frame = predict(folder, images, num_tta=4, device="cpu", precision="fp32")
        parts.append(frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy())
    reference = (parts[0] + 2 * parts[1]) / 3
    np.testing.assert_allclose([one["probabilities"] for one in predictions], reference, atol=1e-5)


def test_execution_parameters_respect_the_limits_of_transforms(serving):
    parameters = serving().get("/execution-parameters").json()
    assert parameters == {"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 25}
    assert serving(max_payload_mb=6).get("/execution-parameters").json()["MaxConcurrentTransforms"] == 16
    assert serving(max_payload_mb=0).get("/execution-parameters").json() == {
        "MaxConcurrentTransforms": 1,
        "MaxPayloadInMB": 100,
    }


def blocked(settings: ServeSettings, folder, go: threading.Event) -> tuple[TestClient, Server]:
    """A server whose model waits for an event before it predicts."""
    server = Server(settings, folder, pytest.fail)
    client = TestClient(server.app()).__enter__()
    while client.get("/ping").status_code != 200:
        pass
    batcher = server.models.loaded[ONLY_MODEL].batcher
    answer = batcher.predict

    def wait(looks):
        assert go.wait(60)
        return answer(looks)

    batcher.predict = wait
    return client, server


def test_a_full_queue_is_503_with_retry_after(model, images):
    go = threading.Event()
    values = {"device": "cpu", "precision": "fp32", "max_queue": 3, "batch_size": 1}
    client, server = blocked(build(ServeSettings, [Layer("{}", values)]), model, go)
    with ThreadPoolExecutor(3) as clients:
        answers = [clients.submit(ask, client, "/invocations", image) for image in images[:3]]
        while server.images.used < 3:
            pass
        for _ in range(20):
            away = client.post("/invocations", content=images[3], headers=IMAGE)
            assert (away.status_code, away.headers["retry-after"]) == (503, "1") and "wait" in away.json()["error"]
            assert client.get("/ping").status_code == 200
            assert (server.images.used, server.bodies.used) == (3, sum(map(len, images[:3])))
        go.set()
        assert all(len(answer.result()) == 18 for answer in answers)
    assert ask(client, "/invocations", images[3])
    assert (server.images.used, server.bodies.used) == (0, 0)
    client.__exit__(None, None, None)


def test_a_slow_prediction_is_503_and_releases_its_reservations(model, images):
    go = threading.Event()
    values = {"device": "cpu", "precision": "fp32", "timeout": 0.3}
    client, server = blocked(build(ServeSettings, [Layer("{}", values)]), model, go)
    late = client.post("/invocations", content=images[1], headers=IMAGE)
    assert (late.status_code, late.headers["retry-after"]) == (503, "1") and "within 0.3 s" in late.json()["error"]
    assert (server.images.used, server.bodies.used) == (0, 0)
    go.set()
    client.__exit__(None, None, None)


def test_if_one_image_of_a_request_fails_the_others_are_cancelled():
    async def batcher(image: bytes, row: int, metadata: object) -> np.ndarray:
        if row == 3:
            raise RuntimeError("a fault")
        under_way.add(row)
        try:
            await asyncio.sleep(1000)
        finally:
            under_way.discard(row)

    async def ask() -> None:
        with server.images.reservation() as waiting, pytest.raises(ExceptionGroup, match="unhandled") as raised:
            await server.predict(loaded, Invocation([b"x"] * 9, [{}] * 9, is_single=False), waiting)
        assert [str(error) for error in raised.value.exceptions] == ["a fault"]
        assert not under_way and server.images.used == 0

    under_way: set[int] = set()
    server, loaded = Server(ServeSettings(), None, pytest.fail), LoadedModel("", None, batcher)
    asyncio.run(ask())
