"""report.html in the system's Chromium, from disk, without network."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from model.attributes import Attribute
from model.evaluation.report.thumbnails import picture_folder
from model.labels import Scheme
from tests.browser import serious

SCRIPT = "<script>alert(1)</script>"
KINDS = Scheme((Attribute("kind", (SCRIPT, "착용샷", "plain")),))
MANY = Scheme((Attribute("kind", tuple(f"kind {i:03}" for i in range(80))),))  # a heat map, hidden rows


@pytest.fixture(scope="module")
def page(make_page):
    other = make_page().matched.truth
    return make_page(other=other, compared="before", notes=["a note"])


@pytest.fixture(scope="module")
def page_of_many_classes(make_page):
    return make_page(MANY, pictures=800, resamples=5)


def test_it_opens_without_network_and_fits_every_width(page, open_html):
    shown = open_html(page.html)
    assert shown.title() == "Evaluation of exp" and shown.locator("main section").count() == 12
    for width in (390, 1280, 2000):
        shown.set_viewport_size({"width": width, "height": 900})
        assert shown.evaluate("document.documentElement.scrollWidth") == width


def test_axe_finds_nothing_serious_in_both_themes_and_print_is_light(page, open_html):
    shown = open_html(page.html, color_scheme="light", viewport={"width": 1280, "height": 900})
    background = "getComputedStyle(document.body).backgroundColor"
    light = shown.evaluate(background)
    assert serious(shown) == []
    shown.emulate_media(color_scheme="dark")
    shown.set_viewport_size({"width": 390, "height": 900})
    assert shown.evaluate(background) != light
    assert serious(shown) == []
    shown.emulate_media(media="print", color_scheme="dark")
    assert shown.evaluate(background) == "rgb(255, 255, 255)"


def test_axe_finds_nothing_serious_among_many_classes_nor_in_an_opened_cell(page_of_many_classes, open_html):
    shown = open_html(page_of_many_classes.html)
    shown.get_by_role("button", name="Show all 80 classes").click()
    shown.locator("td[data-list] button").first.click()
    assert shown.locator("dialog.pictures").is_visible()
    assert serious(shown) == []


def test_it_prints_without_cutting_anything_off(page_of_many_classes, page, open_html):
    """210 mm less the margins of 15 mm are 680 CSS pixels."""
    for printed in (page, page_of_many_classes):
        shown = open_html(printed.html, viewport={"width": 680, "height": 900})
        shown.emulate_media(media="print")
        wide = shown.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > 690).map(e => e.className)"
        )
        assert wide == []
        assert not shown.locator("nav").is_visible() and not shown.locator(".switch").is_visible()
    assert shown.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_a_class_called_script_is_shown_as_text(make_page, open_html):
    shown = open_html(make_page(KINDS).html)
    assert shown.locator("table.matrix tbody th").all_inner_texts() == [SCRIPT, "착용샷", "plain"]
    shown.locator("td[data-list] button").first.click()
    assert shown.locator("dialog.pictures h2").inner_text() == f"{SCRIPT}, predicted as {SCRIPT}"


def test_a_cell_opens_its_images_and_the_keyboard_finds_the_next(make_page, open_html, tmp_path):
    matched = make_page(KINDS, pictures=40).matched
    for name in matched.names:
        Image.new("RGB", (30, 40), "teal").save(tmp_path / name)
    page = make_page(KINDS, pictures=40, folder=picture_folder(tmp_path, matched.names))
    shown = open_html(page.html)
    buttons, dialog = shown.locator("table.matrix button"), shown.locator("dialog.pictures")
    buttons.first.focus()
    shown.keyboard.press("Enter")
    count = page.evaluation.joint.confusion[0, 0]
    assert dialog.locator("li").count() == min(count, 12) and dialog.locator("li img").count() == min(count, 12)
    rows = [row for row in range(40) if page.matched.truth[row] == page.matched.answers[row] == 0]
    assert {page.matched.names[row] for row in rows} >= set(dialog.locator(".file").all_inner_texts())
    shown.keyboard.press("Escape")
    assert not dialog.is_visible()
    cell = "[document.activeElement.closest('tr').rowIndex, document.activeElement.closest('td').cellIndex]"
    before = shown.evaluate(cell)
    shown.keyboard.press("ArrowDown")
    after = shown.evaluate(cell)
    assert after[0] > before[0] and after[1] == before[1]
    assert [button.get_attribute("tabindex") for button in buttons.all()].count("0") == 1


def test_mistakes_are_shown_as_images_if_these_are_given(make_page, open_html, tmp_path):
    matched = make_page().matched
    for name in matched.names[: len(matched.names) // 2]:
        Image.new("RGB", (30, 40), "teal").save(tmp_path / name)
    shown = open_html(make_page(folder=picture_folder(tmp_path, matched.names)).html)
    images, gone = shown.locator("main img"), shown.locator(".no-picture")
    assert images.count() + gone.count() == 24 + 12 + 12 and images.count() > 0 and gone.count() > 0
    assert shown.evaluate("[...document.querySelectorAll('main img')].every(image => image.naturalWidth === 30)")


def test_an_image_is_enlarged_with_its_classes_by_mouse_and_by_keyboard(make_page, open_html, tmp_path):
    matched = make_page(KINDS, pictures=40).matched
    for name in matched.names:
        Image.new("RGB", (300, 400), "teal").save(tmp_path / name)
    page = make_page(KINDS, pictures=40, folder=picture_folder(tmp_path, matched.names))
    shown = open_html(page.html)
    dialog, buttons = shown.locator("dialog.picture"), shown.locator("#mistakes ~ ul button.enlarge")
    names = shown.locator("#mistakes ~ ul .file").all_inner_texts()
    buttons.first.click()
    row = matched.names.index(names[0])
    assert dialog.locator("h2").inner_text() == names[0]
    assert dialog.locator("#picture-truth").inner_text() == f"true: {KINDS.class_names[matched.truth[row]]}"
    answered = KINDS.class_names[matched.answers[row]]
    assert dialog.locator("li").first.inner_text().startswith(answered) and dialog.locator("li").count() == 3
    assert shown.evaluate("document.querySelector('dialog.picture img').naturalHeight") == 320
    assert serious(shown) == []
    shown.keyboard.press("ArrowRight")
    assert dialog.locator("h2").inner_text() == names[1]
    shown.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert shown.evaluate("document.activeElement.className") == "enlarge"  # the focus comes back
    shown.keyboard.press("Enter")
    assert dialog.is_visible() and dialog.get_by_role("button", name="Previous").is_disabled()
    dialog.get_by_role("button", name="Close").click()
    # from a list of images too, above which it opens
    shown.locator("td[data-list] button").first.click()
    shown.locator("dialog.pictures button.enlarge").first.click()
    assert dialog.is_visible() and shown.locator("dialog.pictures").is_visible()


def test_the_table_of_classes_is_sorted_searched_and_unfolded(page_of_many_classes, open_html):
    shown = open_html(page_of_many_classes.html)
    rows, table = shown.locator("table.sortable tbody tr:visible"), shown.locator("table.sortable")
    more = shown.get_by_role("button", name="Show all 80 classes")
    assert rows.count() == 24
    shown.get_by_label("Find among the 80 classes").fill("KIND 01")
    assert rows.count() == 10 and shown.locator("[role=status]").inner_text() == "10 found" and not more.is_visible()
    shown.get_by_label("Find among the 80 classes").fill("")
    assert rows.count() == 24
    more.click()
    assert rows.count() == 80 and not more.is_visible()
    table.get_by_role("button", name="images").click()
    shares = [int(text) for text in rows.locator("td:last-child").all_inner_texts()[:40]]
    assert shares == sorted(shares, reverse=True) and shares[0] > shares[-1]
    assert table.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    assert table.locator("caption").inner_text() == "Sorted by images, descending"
    table.get_by_role("button", name="class").click()
    assert rows.first.locator("th").inner_text() == "kind 000"
    table.get_by_role("button", name="class").click()
    assert rows.first.locator("th").inner_text() == "kind 079"


def test_a_table_that_is_too_wide_fades_at_its_right_edge_until_it_is_scrolled(page, open_html):
    shown = open_html(page.html, viewport={"width": 390, "height": 900})
    region = shown.get_by_role("region", name="Scores by class, All attributes together")
    mask = "element => getComputedStyle(element).maskImage"
    assert "linear-gradient" in region.evaluate(mask)
    region.evaluate("element => { element.scrollLeft = element.scrollWidth; }")
    shown.wait_for_function("!document.querySelector('table.sortable').parentElement.classList.contains('more')")
    assert region.evaluate(mask) == "none"
    shown.emulate_media(media="print")
    assert shown.evaluate(
        "[...document.querySelectorAll('.scroll')].every(e => getComputedStyle(e).maskImage === 'none')"
    )


def test_without_scripts_everything_but_dialogs_works(page, open_html):
    shown = open_html(page.html, java_script_enabled=False)
    cell = shown.locator("table.matrix td.right").first
    counts = cell.inner_text()
    shown.locator("#show-shares").check()
    assert re.fullmatch(r"\d+", counts) and cell.inner_text() != counts
    assert shown.locator("button:visible").count() == 0 and not shown.locator("input[type=search]").count()
    assert shown.locator("table.sortable tbody tr:visible").count() == 18
    assert shown.locator("td button").count() == 0 and not shown.locator(".opens").first.is_visible()
    assert shown.locator("main section").count() == 12
