"""Heat maps over HTTP: what they explain, what is refused, and that each is computed once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from exploration.heat_maps import HeatMaps
from exploration.review.app import ReviewApp
from exploration.review.errors import ErrorsSettings, open_errors
from exploration.review.heat_images import HeatImages
from exploration.review.predictions import Predictions
from model.errors import InputError

PORT = 8766


@pytest.fixture(scope="module", params=["joint", "heads"])
def review(
    request: pytest.FixtureRequest,
    faces: Path,
    models: Path,
    held_out: Path,
    eval_answers: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ReviewApp]:
    """The errors of a model, with its heat maps."""
    if request.param == "joint":
        channel, answers, truth, model = faces / "train", held_out.with_name("exp.validation"), None, held_out
    else:
        channel, answers, truth, model = faces / "eval", eval_answers, str(faces / "gt"), models / "heads"
    settings = ErrorsSettings(
        channel=str(channel),
        answers=str(answers),
        ground_truth=truth,
        model=str(model),
        corrections=str(tmp_path_factory.mktemp("errors") / "corrections.csv"),
        device="cpu",
    )
    opened = open_errors(settings, PORT)
    yield opened
    opened.close()


@pytest.fixture
def client(review: ReviewApp) -> Iterator[TestClient]:
    with TestClient(review.app(), f"http://127.0.0.1:{PORT}", raise_server_exceptions=False) as opened:
        opened.headers["X-Rarebird-Token"] = review.token
        yield opened


def test_the_map_explains_the_class_with_the_predicted_ones_of_its_head(review, client):
    item, maps = review.data.items[0], review.heat.maps
    row, attribute = item.images[0], item.attribute
    predicted = {name: int(codes[row]) for name, codes in review.heat.predictions.codes.items()}
    is_joint = len(maps.backend.heads.heads) == 1
    contents = []
    values = maps.model.scheme.attribute(attribute).values
    for code, value in enumerate(values):
        answer = client.get(f"/heat/{row}", params={"attribute": attribute, "value": value})
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"].startswith("private")
        drawn = np.asarray(Image.open(io.BytesIO(answer.content)), dtype=float)
        codes = predicted | {attribute: code} if is_joint else {attribute: code}
        wanted = np.asarray(maps.draw(review.images.source(row), codes), dtype=float)
        assert drawn.shape == wanted.shape and np.abs(drawn - wanted).mean() < 4  # by JPEG
        contents.append(answer.content)
    assert len(set(contents)) == len(values)


@pytest.mark.parametrize(
    ("row", "attribute", "value", "message"),
    [
        ("99999", "mask", "worn", "there is no image '99999'"),
        ("-1", "mask", "worn", "there is no image '-1'"),
        ("x", "mask", "worn", "there is no image 'x'"),
        ("0", "maks", "worn", "'maks' is not an attribute; expected one of mask, gender, age; nearest: mask"),
        ("0", "", "", "'' is not an attribute"),
        ("0", "mask", "wron", "'wron', expected worn, incorrect, none; nearest: worn"),
        ("0", "mask", "", "'', expected worn"),
    ],
)
def test_what_is_no_row_attribute_or_class_is_refused(client, row, attribute, value, message):
    answer = client.get(f"/heat/{row}", params={"attribute": attribute, "value": value})
    assert answer.status_code == 404 and message in answer.json()["error"]


def test_without_the_token_it_is_refused(review):
    client = TestClient(review.app(), f"http://127.0.0.1:{PORT}")
    assert client.get("/heat/0?attribute=mask&value=worn").status_code == 403


def test_without_a_model_there_are_none(open_review):
    review = open_review()
    assert review.get("/api/session")["heat"] is False
    assert "--model" in review.get("/heat/0?attribute=mask&value=worn", expect=404)["error"]


def test_session_and_images_have_what_the_page_shows(review, client):
    session = client.get("/api/session").json()
    assert session["heat"] is True and session["source"] == "errors" and session["title"].startswith("Errors in ")
    row = review.data.items[0].images[0]
    shown = client.get(f"/api/image/{row}").json()["probabilities"]
    assert list(shown) == ["mask", "gender", "age"] and len(shown["mask"]) == 3
    assert sum(probability for _, probability in shown["mask"]) == pytest.approx(1, abs=1e-5)


def test_each_map_is_computed_once(review, monkeypatch):
    heat = HeatImages(review.heat.maps, review.heat.predictions, review.images)
    drawn = []
    draw = heat.maps.draw
    monkeypatch.setattr(heat.maps, "draw", lambda *given: drawn.append(given) or draw(*given))
    first = [heat.jpeg(1, "gender", "male").result() for _ in range(3)]
    heat.jpeg(2, "gender", "male").result()
    assert len(drawn) == 2 and len(set(first)) == 1
    heat.close()


def test_a_joint_class_needs_the_other_predicted_classes(review):
    labels = review.heat.predictions.labels
    codes = {name: np.full_like(own, -1) for name, own in review.heat.predictions.codes.items()}
    heat = HeatImages(review.heat.maps, Predictions(labels, codes, {}), review.images)
    if len(heat.maps.backend.heads.heads) == 1:
        with pytest.raises(InputError, match="no prediction for this image"):
            heat.jpeg(0, "mask", "worn").result()
    else:
        assert heat.jpeg(0, "mask", "worn").result()
    heat.close()


def test_a_model_of_other_classes_is_refused(review, models):
    maps = HeatMaps(models / "joint", "cpu")
    mask = maps.model.scheme.attributes[0]
    object.__setattr__(mask, "values", tuple(reversed(mask.values)))
    with pytest.raises(InputError, match="classes of mask differ"):
        HeatImages(maps, review.heat.predictions, review.images)
