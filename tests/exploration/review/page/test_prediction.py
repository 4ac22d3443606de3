"""The page of the errors of a model: probabilities, heat maps, filters, and corrections."""

from __future__ import annotations

from typing import Any

import pytest

from exploration.review.errors import ErrorsSettings, open_errors
from tests.exploration.review.page.conftest import problems_of_views, text, until


@pytest.fixture
def errors(serve_app, faces, held_out, tmp_path):
    """Serves the errors of a hardly trained model, with or without its heat maps."""

    def start(heat: bool = True) -> Any:
        settings = ErrorsSettings(
            channel=str(faces / "train"),
            answers=str(held_out.with_name("exp.validation")),
            model=str(held_out) if heat else None,
            corrections=str(tmp_path / "corrections.csv"),
            reviewer="anna",
            device="cpu",
        )
        return serve_app(lambda port: open_errors(settings, port), tmp_path / "corrections.csv")

    return start


def source(shown: Any) -> str:
    """Address of the image on the stage, once it is loaded."""
    until(shown, lambda: shown.evaluate("document.querySelector('#stage-images img').naturalWidth") > 0)
    return str(shown.locator("#stage-images img").get_attribute("src"))


def test_h_shows_the_heat_map_of_the_prediction_then_of_the_label_then_the_image(errors, opened, keys):
    review = errors()
    shown = opened(review)
    item, follower = review.app.data.items[:2]
    button = shown.locator("#detail [data-action=heat]")
    assert source(shown).startswith(f"/image/{item.images[0]}?size=large") and button.is_visible()
    for value, role in ((item.suggested, "predicted"), (item.given, "labelled")):
        keys(shown, "h", saved=False)
        address = source(shown)
        assert address.startswith(f"/heat/{item.images[0]}?attribute={item.attribute}&value={value.replace(' ', '+')}")
        assert text(shown, "#heat") == f"Red: what speaks for {item.attribute} {value} ({role})."
        assert button.get_attribute("aria-pressed") == "true"
    keys(shown, "ArrowRight", saved=False)  # it stays on
    assert f"/heat/{follower.images[0]}?attribute={follower.attribute}" in source(shown)
    keys(shown, "h", saved=False)
    assert source(shown).startswith(f"/image/{follower.images[0]}?size=large")
    assert not shown.locator("#heat").is_visible()
    assert button.get_attribute("aria-pressed") == "false"


def test_without_a_model_there_is_no_key_for_heat_maps(errors, opened, keys):
    shown = opened(errors(heat=False))
    keys(shown, "h", saved=False)
    assert source(shown).startswith("/image/") and not shown.locator("#detail [data-action=heat]").is_visible()
    keys(shown, "?", saved=False)
    assert "Heat map" not in text(shown, "#help-rows")


def test_probabilities_are_bars_and_the_labels_are_named(errors, opened, keys):
    review = errors()
    shown = opened(review)
    item = review.app.data.items[0]
    until(shown, lambda: shown.locator("#prediction li").count() > 0)
    wanted = review.app.data.predictions.shown(item.images[0])[item.attribute]
    assert shown.locator("#prediction .value").all_inner_texts() == [value for value, _ in wanted]
    assert shown.locator("#prediction .number").all_inner_texts() == [f"{share:.2f}" for _, share in wanted]
    filled, track = (
        shown.locator(f"#prediction {name}").first.bounding_box()["width"] for name in (".filled", ".track")
    )
    assert filled / track == pytest.approx(wanted[0][1], abs=0.02)
    assert text(shown, "#prediction .suggested .value") == item.suggested
    assert text(shown, "#claim") == f"labelled\n{item.given}\n→\npredicted\n{item.suggested}"
    assert text(shown, "#score") == f"Confidence {item.score:.2f}" and text(shown, "#reason") == item.reason


def test_filters_by_true_class_prediction_and_confidence(errors, opened, keys):
    review = errors()
    items = review.app.data.items
    middle = next(level for level in (0.95, 0.9, 0.8, 0.7, 0.5) if any(item.score >= level for item in items))
    shown = opened(review)
    shown.get_by_label("Confidence at least").select_option(f"{middle:g}")
    assert text(shown, "#position").endswith(f" of {sum(item.score >= middle for item in items)}")
    shown.get_by_role("button", name="Show all").click()
    first = items[0]
    shown.get_by_label("Attribute").first.select_option(first.attribute)
    shown.get_by_label("True class").select_option(first.given)
    shown.get_by_label("Predicted").select_option(first.suggested)
    wanted = [
        item
        for item in items
        if (item.attribute, item.given, item.suggested) == (first.attribute, first.given, first.suggested)
    ]
    assert text(shown, "#position").endswith(f" of {len(wanted)}") and len(wanted) < len(items)


def test_one_key_corrects_the_label_with_the_source_errors(errors, opened, keys):
    review = errors()
    items = review.app.data.items
    keys(opened(review), "s", "k", "u")
    assert review.rows() == [
        (items[0].path, items[0].attribute, "relabel", items[0].suggested),
        (items[1].path, items[1].attribute, "keep", ""),
        (items[2].path, items[2].attribute, "unsure", ""),
    ]
    assert review.column("source") == ["errors"] * 3 and review.column("given")[0] == items[0].given


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_no_text_is_cut(errors, opened, keys, width, theme):
    shown = opened(errors(), viewport={"width": width, "height": 844}, color_scheme=theme)
    until(shown, lambda: shown.locator("#prediction li").count() > 0)
    if width == 390:
        shown.get_by_role("button", name="Filter").click()
    views: dict[str, tuple[str, ...]] = {
        "image": (),
        "predicted": ("h",),
        "labelled": ("h",),
        "mark": ("m", "x"),
        "check": ("v",),
    }
    assert problems_of_views(shown, keys, views, width, theme) == []
