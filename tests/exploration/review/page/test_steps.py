"""The review page, driven by keyboard: the three steps, one by one, undo, groups, search, many suspects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.exploration.review.page.conftest import EVIL, SUSPECTS, name_of, problems_of_views, text, until

FIRST = name_of(0, 0)


def test_the_three_steps_by_keyboard(serve, opened, keys):
    review = serve()
    shown = opened(review)
    # mark two of the first row, accept the others
    keys(shown, "m", "x", "ArrowRight", "ArrowRight", " ", "Enter")
    columns = int(shown.locator("#grid").get_attribute("aria-colcount"))
    assert columns == 8 and text(shown, "#status") == "Row: 6 right, 2 marked."
    assert review.rows()[:2] == [("00", "gender", "marked", ""), (FIRST, "product", "marked", "")]
    assert {row[2] for row in review.rows()[2:]} == {"keep"} and len(review.rows()) == columns
    # look at the marked ones again
    keys(shown, "v")
    assert text(shown, "#position") == "1 of 2" and text(shown, "nav [aria-current] b") == "2"
    assert shown.locator("#neighbours li").count() == 5 and text(shown, "#reason")
    keys(shown, "Enter")
    assert text(shown, "#position") == "2 of 2" and text(shown, "#claim .given strong") == EVIL
    # give the right class
    keys(shown, "c", "2", "f", "0", "5", "Enter")
    assert review.rows()[columns:] == [("00", "gender", "relabel", "male"), (FIRST, "product", "relabel", "product 05")]
    assert text(shown, "#status") == "No marked item is left."
    assert text(shown, "#reviewed") == "8 of 24 reviewed"


def test_a_page_is_accepted_by_one_key_and_undone_by_one(serve, opened, keys):
    review = serve()
    shown = opened(review, viewport={"width": 700, "height": 700})
    keys(shown, "m", "x", "Shift+Enter")
    accepted = len(review.rows()) - 1
    assert 0 < accepted < SUSPECTS - 1 and {row[2] for row in review.rows()[1:]} == {"keep"}
    cell = shown.locator(".cell.at")
    assert cell.get_attribute("data-at") == str(accepted + 1)
    keys(shown, "z")
    assert [row[2] for row in review.rows()[accepted + 1 :]] == ["undo"] * accepted
    assert text(shown, "#count-open") == str(SUSPECTS - 1)


def test_one_by_one_each_key_decides_and_the_next_item_follows(serve, opened, keys):
    review = serve()
    shown = opened(review)
    expected = [("00", "gender", "keep", "")]
    keys(shown, "Enter")
    assert text(shown, "#claim-attribute") == "age"
    keys(shown, "4")
    assert text(shown, "#chooser output") == "in the band under 30"
    keys(shown, "1", "Enter", "s", "2", "s", "u", "d", "1")
    expected += [("00", "age", "relabel", "41"), (FIRST, "product", "relabel", "product 03")]
    expected += [
        ("01", "gender", "relabel", "male"),
        ("01", "age", "relabel", "34"),
        (name_of(1, 0), "product", "unsure", ""),
    ]
    expected += [("02", "", "delete", "")]  # of the whole group, so its other items are decided too
    expected += [("03", "gender", "keep", "")]
    assert review.rows() == expected
    assert text(shown, "#position") == f"11 of {SUSPECTS}"
    assert [text(shown, f"#count-{state}") for state in ("open", "decided", "unsure")] == ["14", "9", "1"]


def test_what_is_typed_stays_if_details_of_the_image_arrive_later(serve, opened, keys):
    review = serve()
    shown = opened(review)
    held: list[Any] = []
    shown.route("**/api/image/*", lambda route: held.append(route))
    keys(shown, *["ArrowRight"] * 4, "4", saved=False)
    until(shown, lambda: len(held) > 0)
    for route in held:
        route.continue_()
    until(shown, lambda: shown.locator("#about div").count() > 0)
    keys(shown, "1", "Enter")
    assert review.rows() == [("01", "age", "relabel", "41")]


def test_the_given_class_by_its_digit_is_a_keep(serve, opened, keys):
    review = serve()
    keys(opened(review), "1")
    assert review.rows() == [("00", "gender", "keep", "")]


def test_undo_withdraws_and_returns_to_the_item_also_after_a_reload(serve, opened, keys):
    review = serve()
    shown = opened(review)
    keys(shown, "k", "k", "k", "z")
    assert text(shown, "#position") == f"3 of {SUSPECTS}" and text(shown, "#count-open") == str(SUSPECTS - 2)
    shown.reload()
    shown.wait_for_selector("body:not(.loading)")
    keys(shown, "Control+z", "z", "z")
    assert text(shown, "#count-open") == str(SUSPECTS) and text(shown, "#status") == "There is nothing to undo."
    assert [row[2] for row in review.rows()] == ["keep"] * 3 + ["undo"] * 3


def test_a_mark_is_withdrawn_by_the_key_that_set_it(serve, opened, keys):
    review = serve()
    shown = opened(review)
    keys(shown, "m", "x", "x")
    assert [row[2] for row in review.rows()] == ["marked", "undo"] and text(shown, "#count-marked") == "0"
    keys(shown, "z")
    assert text(shown, "#count-marked") == "1"


def test_one_image_of_a_group_is_decided_alone(serve, opened, keys):
    review = serve()
    shown = opened(review)
    assert shown.locator("#stage-images figure").count() == 3 and text(shown, "#scope").endswith("all 3 images.")
    shown.get_by_role("button", name="Decide only on image 2").click()
    keys(shown, "2")
    assert review.rows() == [(name_of(0, 1), "gender", "relabel", "male")]
    assert text(shown, "#position").startswith("1 of")  # the group is still open
    keys(shown, "g", saved=False)
    assert shown.locator("#stage-images figure").count() == 1
    keys(shown, "ArrowRight", "ArrowRight", "g", saved=False)  # an image, with the others of its group
    shown.wait_for_selector("#stage-images.several")
    assert shown.locator("#stage-images figure").count() == 3
    keys(shown, "s")
    assert review.rows()[1:] == [(FIRST, "product", "relabel", "product 03")]


def test_zoom_by_keys_and_drag_and_the_focus_returns(serve, opened, keys):
    shown = opened(serve())
    dialog, image = shown.locator("#zoom"), shown.locator("#zoom-image")
    keys(shown, "+", "+", saved=False)
    assert dialog.is_visible() and "scale(1.5)" in image.get_attribute("style")
    shown.mouse.move(600, 400)
    shown.mouse.down()
    shown.mouse.move(640, 430)
    shown.mouse.up()
    assert "translate(40px, 30px)" in image.get_attribute("style")
    keys(shown, "0", "ArrowRight", saved=False)
    until(shown, lambda: text(shown, "#zoom-title") == name_of(0, 1))
    keys(shown, "Escape", saved=False)
    assert not dialog.is_visible() and shown.evaluate("document.activeElement.id") == "stage"
    shown.locator("#neighbours button").first.click()
    assert dialog.is_visible()


def test_search_and_decide_on_what_is_not_in_the_queue(serve, opened, keys):
    review = serve()
    shown = opened(review)
    keys(shown, "/", saved=False)
    shown.keyboard.type("04 2.png")
    keys(shown, "Enter", saved=False)
    until(shown, lambda: text(shown, "#matching") == "1 image found")
    keys(shown, "t", saved=False)
    assert text(shown, "#chooser [aria-pressed=true]") == "age"
    keys(shown, "6", "6", "Enter")
    assert review.rows() == [(name_of(4, 2), "age", "relabel", "66")] and review.column("source") == ["search"]
    shown.get_by_role("button", name="Show all").click()
    assert text(shown, "#position") == f"1 of {SUSPECTS}"


def test_a_mark_on_all_labels_of_a_suspect_offers_the_classes_of_all_attributes(serve, opened, keys):
    review = serve()
    shown = opened(review)
    shown.locator("#query").fill("04 0.png")  # a suspect because of its product only
    shown.locator("#query").press("Enter")
    until(shown, lambda: text(shown, "#matching") == "1 image found")
    keys(shown, "m", "x", "c")
    assert text(shown, "#claim-attribute") == "All labels" and text(shown, "#position") == "1 of 1"
    names = shown.locator("#chooser").inner_text()
    assert all(name in names for name in ("gender", "age", "product"))
    keys(shown, "2")
    until(shown, lambda: [row[1:] for row in review.rows()] == [("", "marked", ""), ("gender", "relabel", "male")])


def test_filters_show_only_what_matches(serve, opened, keys):
    shown = opened(serve())
    keys(shown, "u", "k")
    shown.get_by_label("Attribute").first.select_option("gender")
    assert text(shown, "#position") == "2 of 8"
    assert shown.locator("#filter-given option").all_inner_texts() == ["all", "female"]
    shown.get_by_label("State").select_option("unsure")
    assert text(shown, "#position") == "1 of 1" and text(shown, "#matching") == "1 item shown"
    shown.get_by_role("button", name="Show all").click()
    keys(shown, "m", saved=False)
    shown.get_by_label("Order").select_option("class")
    assert shown.locator(".class-name strong").all_inner_texts()[:2] == ["gender: female", "age: 25"]


def test_names_of_classes_are_text(serve, opened, keys):
    shown = opened(serve())
    keys(shown, "ArrowRight", "ArrowRight", saved=False)
    assert shown.locator("#chooser .value").all_inner_texts()[:2] == ["product 03", EVIL]
    assert text(shown, "#claim .given strong") == EVIL and text(shown, ".queue-row.at .given") == f"product: {EVIL}"
    keys(shown, "m", saved=False)
    assert EVIL in shown.locator(".cell .given").all_inner_texts()
    assert shown.locator("img[src='x']").count() == 0  # and no dialog opened, no request left


def test_five_thousand_suspects_are_scrolled_to_the_end_with_few_elements(serve, opened, keys):
    shown = opened(serve(5000))
    keys(shown, "m", "End", saved=False)
    shown.wait_for_selector("[data-at='4999']")
    assert shown.locator(".cell").count() < 120
    for share in (0, 0.3, 0.6, 1):
        shown.evaluate(
            "share => { const grid = document.getElementById('grid'); grid.scrollTop = share * grid.scrollHeight; }",
            share,
        )
        shown.wait_for_timeout(100)
        assert 10 < shown.locator(".cell").count() < 120
    loaded = "[...document.querySelectorAll('#grid img')].every(image => image.naturalWidth > 0)"
    until(shown, lambda: shown.evaluate(loaded))
    keys(shown, "o", saved=False)
    shown.locator("#queue").evaluate("queue => { queue.scrollTop = queue.scrollHeight; }")
    shown.wait_for_selector("#queue [data-at='4999']")
    shown.locator("#queue [data-at='4999']").click()
    assert text(shown, "#position") == "5,000 of 5,000" and shown.locator(".queue-row").count() < 60


def test_every_key_is_a_visible_button(serve, opened, keys):
    shown = opened(serve())
    # these are the classes, the images, the box of classes, the attributes, the box of searches and a model's heat maps
    without = ["digit", "move", "findClass", "nextAttribute", "search", "heat"]
    for view, key in (("one", "o"), ("mark", "m"), ("check", "v"), ("class", "c")):
        keys(shown, "m", "x", key) if view in ("check", "class") else keys(shown, key, saved=False)
        missing = shown.evaluate(
            """async ([view, without]) => {
                const { BINDINGS } = await import("/static/keys.js");
                const actions = BINDINGS.filter(({ views }) => views.includes(view)).map(({ action }) => action);
                const isShown = (button) => button.offsetParent !== null;
                const buttons = (action) => [...document.querySelectorAll(`[data-action="${action}"]`)];
                return actions.filter((action) => !without.includes(action) && !buttons(action).some(isShown));
            }""",
            [view, without],
        )
        assert missing == []
        if view == "check":
            keys(shown, "m", "x")


def test_letters_can_be_turned_off_and_help_lists_the_keys(serve, opened, keys):
    review = serve()
    shown = opened(review)
    keys(shown, "?", saved=False)
    assert shown.locator("#help").is_visible() and "Unsure" in text(shown, "#help-rows")
    shown.get_by_label("Letters and digits are keys").uncheck()
    keys(shown, "Escape", "k", "ArrowRight", saved=False)
    assert text(shown, "#position").startswith("2 of") and text(shown, "#count-open") == str(SUSPECTS)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_no_text_is_cut_in_any_view(serve, opened, keys, width, theme):
    shown = opened(serve(), viewport={"width": width, "height": 844}, color_scheme=theme)
    views: dict[str, tuple[str, ...]] = {
        "one": (),
        "age": ("ArrowRight",),
        "product": ("ArrowRight", "u"),
        "mark": ("m", "x", "ArrowRight", "k", "ArrowRight"),
        "check": ("v",),
        "class": ("c",),
        "zoom": ("+",),
        "help": ("Escape", "?"),
    }
    assert problems_of_views(shown, keys, views, width, theme) == []
