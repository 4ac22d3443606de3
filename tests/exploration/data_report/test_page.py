"""data_report.html: its text, and the page in the system's Chromium, from disk, without network."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exploration.channels import EmbeddedChannel, embeddings_of
from exploration.data_report import grids, page
from exploration.data_report.analysis import Analysis, analyse
from exploration.data_report.page import render_page
from exploration.data_report.report_data import read_report_data
from exploration.image_statistics import image_statistics
from exploration.near_duplicates import DuplicatePair
from tests.browser import cut, serious

SCRIPT = "<script>alert(1)</script>"


class Texts(HTMLParser):
    """Ids of a page, targets of its links, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """Analyses channels with thumbnails as embeddings and pairs that are made up."""
    cache = tmp_path_factory.mktemp("cache")

    def analysis(*channels: Path, pairs: Any = (), notes: Any = (), points: int = 8000, **given: Any) -> Analysis:
        settings = EmbeddedChannel(model="thumbnail", cache=str(cache), num_workers=1, **given)
        data = read_report_data(settings, *channels)
        embeddings = embeddings_of(settings, data.table)
        return analyse(data, embeddings, pairs, image_statistics(data.table, cache, 1), points, notes=notes)

    return analysis


@pytest.fixture(scope="module")
def faulty_report(analysed, faulty):
    pairs = [
        DuplicatePair((0, 20), 0.97, 0.05, True, False, True),
        DuplicatePair((1, 170), 0.95, 0.0, True, True, False, is_equal=True),
        DuplicatePair((2, 3), 0.95, 0.04, False, False, False),
    ]
    return analysed(faulty / "train", faulty / "eval", pairs=pairs, notes=["The weights could not be loaded."])


@pytest.fixture(scope="module")
def scripts(draw, analysed, tmp_path_factory):
    """A report on a channel whose classes, groups, metadata and images are named after a script."""
    names = [f"{SCRIPT.replace('/', '_')}{row}.png" for row in range(12)]
    columns = {"ImageID": names, "label": [SCRIPT, "plain"] * 6, "person": [f"{SCRIPT}{row % 4}" for row in range(12)]}
    columns |= {"site": [SCRIPT, "b", "c"] * 4, SCRIPT: ["1", "2"] * 6}
    pairs = [DuplicatePair((0, 1), 0.97, 0.05, True, False, True)]
    return analysed(draw(tmp_path_factory.mktemp("scripts") / SCRIPT.replace("/", "_"), columns), pairs=pairs)


def test_every_finding_and_section_links_to_a_heading(faulty_report):
    html = Texts(render_page(faulty_report))
    assert len(html.links) == len(faulty_report.findings) + 8
    assert all(link[1:] in html.ids for link in html.links) and len(html.ids) == len(set(html.ids))
    for finding in faulty_report.findings:
        assert finding.sentence in html.text
    assert "5 images of eval are also in train" in html.text and "1 image cannot be read" in html.text
    assert "The weights could not be loaded." in html.text
    assert "1 pair of images of the same person is not listed" in html.text


def test_a_report_without_findings_says_so(draw, analysed, tmp_path):
    columns = {"ImageID": [f"{row}.png" for row in range(20)], "label": ["a", "b"] * 10}
    text = Texts(render_page(analysed(draw(tmp_path / "train", columns)))).text
    assert "Nothing was found" in text and "Leaks between splits" not in text and "Unreadable" not in text


def test_the_page_is_the_same_each_time_and_depends_on_the_seed(analysed, faulty):
    first, second = (render_page(analysed(faulty / "train"), seed=1) for _ in range(2))
    assert first == second != render_page(analysed(faulty / "train"), seed=2)


def test_thumbnails_are_none_blurred_or_full(faulty_report):
    sizes = {}
    for kind in ("none", "blurred", "full"):
        html = render_page(faulty_report, kind)
        sizes[kind] = len(html)
        assert ("data:image/" in html) == (kind != "none")
        assert ("data:image/jpeg" in html) == (kind == "full")
    assert sizes["none"] < sizes["blurred"] < sizes["full"]


def test_the_size_of_the_page_is_limited(faulty_report, monkeypatch):
    monkeypatch.setattr(page, "THUMBNAIL_CHARACTERS", 50_000)
    monkeypatch.setattr(page, "SHEET_CHARACTERS", 1)
    html = render_page(faulty_report)
    uris = [len(uri) for uri in re.findall(r'src="(data:[^"]*)"', html)]
    assert 40_000 < sum(uris) <= 50_000
    (sheet,) = json.loads(content_of(html))["map"]["sheets"]
    tiles = 256  # tiles of the smallest size
    assert len(sheet) < 1.5 * grids.TILE_CHARACTERS * tiles * grids.TILE_SIDES[-1] ** 2


def content_of(html: str) -> str:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', html, re.S)
    assert found
    return found[1]


def test_the_numbers_are_json_with_those_of_the_page(faulty_report):
    numbers = json.loads(json.dumps(faulty_report.to_dict(), allow_nan=False))
    assert numbers["splits"]["train"] == {"images": 167, "groups": 24}
    worn = numbers["targets"]["mask"]["classes"]["worn"]
    frame = faulty_report.data.table.frame()
    assert worn["images"]["train"] == (frame["mask"] == "worn").sum() == 120 and worn["groups"]["train"] == 24
    assert numbers["leaks"][0]["copies"] == 5 and len(numbers["unreadable"]) == 1
    first = numbers["near_duplicates"]["pairs"][0]
    assert first["labels_differ"] and first["images"][0]["path"] == faulty_report.data.paths[0]
    assert numbers["near_duplicates"]["within_groups"] == 1


@pytest.mark.parametrize("count", [2, 3])
def test_a_channel_of_few_images_has_a_report(draw, analysed, tmp_path, count):
    columns = {"ImageID": [f"{row}.png" for row in range(count)], "label": ["a", "b", "a"][:count]}
    analysis = analysed(draw(tmp_path / "train", columns))
    assert f"{count} image" in Texts(render_page(analysis)).text and len(analysis.found_map.rows) == count


def test_a_hierarchy_of_many_varieties(draw, analysed, tmp_path, open_html):
    rows = range(200)
    columns = {"ImageID": [f"{row}.png" for row in rows]}
    columns |= {name: [f"{name} {row % size:02}" for row in rows] for name, size in (("aisle", 3), ("variety", 81))}
    columns["product"] = [f"product {row % 43}" for row in rows]
    attributes = {name: {} for name in ("aisle", "product", "variety")}
    analysis = analysed(draw(tmp_path / "train", columns, size=(12, 9)), attributes=attributes)
    shown = open_html(render_page(analysis), viewport={"width": 390, "height": 800})
    assert len(analysis.targets[0].classes) == 200 and analysis.data.table.scheme.is_large
    assert shown.evaluate("document.documentElement.scrollWidth") == 390
    table = shown.get_by_role("region", name="Images per class, variety")
    assert table.locator("tbody tr:visible").count() == 24
    shown.get_by_role("button", name="Show all 81 classes").first.click()
    assert table.locator("tbody tr:visible").count() == 81
    shown.locator("#map-colour").select_option("variety")
    assert shown.locator(".map-values label").count() == 61  # 60 and the others


# The page in a browser


def drawn(shown: Any) -> Any:
    """Waits until the map has been drawn; its canvas."""
    shown.wait_for_function("document.querySelector('canvas').dataset.points > 0")
    return shown.locator("canvas")


def points(shown: Any) -> int:
    """Number of visible points once pending frames are drawn."""
    shown.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return int(shown.locator("canvas").get_attribute("data-points"))


def test_paths_and_reasons_of_unreadable_images_are_legible_on_a_phone(faulty_report, open_html):
    reason = (
        "truncated: 12,345 of 67,890 bytes from byte 1,048,576 of the shard, as if its download had been interrupted"
    )
    skipped = [("/srv/data/masks/train", f"images/000012_female_Asian_2{n}/normal_{n}.jpg", reason) for n in range(3)]
    analysis = replace(faulty_report, data=replace(faulty_report.data, skipped=skipped))
    shown = open_html(render_page(analysis), viewport={"width": 390, "height": 800})
    rows = shown.get_by_role("region", name="Unreadable images").locator("tbody tr")
    assert rows.count() == 3 and rows.first.locator("th").inner_text() == skipped[0][1]
    # each folder and file name is on one line
    lines = rows.locator("th").evaluate_all("""(cells) => cells.flatMap((cell) => [...cell.childNodes]
        .filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => {
            const range = document.createRange();
            range.selectNodeContents(node);
            return range.getClientRects().length;
        }))""")
    assert lines == [1] * 9
    assert max(rows.evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")) < 160
    assert shown.evaluate("document.documentElement.scrollWidth") == 390


def test_it_fits_every_width_without_overlap(faulty_report, open_html):
    shown = open_html(render_page(faulty_report))
    drawn(shown)
    for width in (390, 700, 1280, 2000):
        shown.set_viewport_size({"width": width, "height": 900})
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        # items of grids neither overlap nor leave their list
        overlaps = shown.evaluate("""() => [...document.querySelectorAll(".strip, .pairs, .map-body")].flatMap(list => {
            const boxes = [...list.children].map((item) => item.getBoundingClientRect());
            const around = list.getBoundingClientRect();
            return boxes.filter((one, at) => one.right > around.right + 1 || boxes.some((other, after) => after > at
                && one.left < other.right - 1 && other.left < one.right - 1
                && one.top < other.bottom - 1 && other.top < one.bottom - 1)).map(() => list.className);
        })""")
        assert overlaps == []
        assert cut(shown, "main p, main li, main h3, main label, .file", ".unseen, .scroll, [hidden]") == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious(faulty_report, open_html, scheme, width):
    shown = open_html(render_page(faulty_report), color_scheme=scheme, viewport={"width": width, "height": 900})
    drawn(shown)
    assert serious(shown) == []


def test_names_that_are_scripts_are_shown_as_text(scripts, open_html):
    shown = open_html(render_page(scripts))
    canvas = drawn(shown)
    assert SCRIPT in shown.get_by_role("region", name="Images per class, label").inner_text()
    assert SCRIPT.replace("/", "_") in shown.locator(".pairs").inner_text()
    assert SCRIPT in shown.locator("#map-colour").inner_text() and SCRIPT in shown.locator(".map-values").inner_text()
    canvas.press("ArrowRight")
    assert SCRIPT in shown.locator(".map-card").inner_text()


def test_pairs_are_shown_with_their_labels(faulty_report, open_html):
    shown = open_html(render_page(faulty_report))
    frame, pairs = faulty_report.data.table.frame(), shown.locator(".pairs li")
    assert pairs.count() == 2 and shown.locator(".pairs img").count() == 4
    assert pairs.locator(".kind").all_inner_texts() == [
        "Different labels similarity 0.970",
        "Different splits equal files",
    ]
    texts = [" / ".join(frame.loc[row, ["mask", "gender", "age"]]) for row in (0, 20, 1)]
    assert pairs.locator(".values").all_inner_texts() == [*texts, "no label"]
    bold = [value for value, other in zip(texts[0].split(" / "), texts[1].split(" / ")) if value != other]
    assert pairs.nth(0).locator("div > .values").nth(0).locator("strong").all_inner_texts() == bold != []


def test_the_map_shows_an_image_under_the_pointer_and_by_keyboard(faulty_report, open_html):
    shown = open_html(render_page(faulty_report), viewport={"width": 1280, "height": 900})
    canvas = drawn(shown)
    content = json.loads(content_of(render_page(faulty_report)))["map"]
    card, status = shown.locator(".map-card"), shown.locator("#map-status")
    assert points(shown) == len(content["x"]) == 167 + 84 + 5 and not card.is_visible()
    canvas.press("ArrowRight")
    card.wait_for(state="visible")
    first = card.locator(".file").inner_text()
    at = content["paths"].index(first)
    assert status.inner_text().startswith(f"{first}: person {content['groups'][at]}, mask ")
    assert "data:image/jpeg" in card.locator(".map-image").evaluate("e => getComputedStyle(e).backgroundImage")
    canvas.press("ArrowDown")
    points(shown)  # the card is drawn with the next frame
    second = card.locator(".file").inner_text()
    below = content["paths"].index(second)
    assert second != first and content["y"][below] > content["y"][at]
    canvas.press("Escape")
    points(shown)
    assert not card.is_visible()
    # the pointer: at the position of the first image
    box = canvas.bounding_box()
    scale = min((box["width"] - 36) / max(content["x"]), (box["height"] - 36) / max(content["y"]))
    left = (box["width"] - max(content["x"]) * scale) / 2 + content["x"][at] * scale
    top = (box["height"] - max(content["y"]) * scale) / 2 + content["y"][at] * scale
    canvas.hover(position={"x": left, "y": top})
    card.wait_for(state="visible")
    assert card.locator(".file").inner_text() == first
    assert serious(shown) == []


def test_the_map_is_zoomed_and_moved_by_wheel_buttons_and_keys(faulty_report, open_html):
    shown = open_html(render_page(faulty_report), viewport={"width": 1280, "height": 900})
    canvas = drawn(shown)
    whole = points(shown)

    def zoom() -> float:
        points(shown)
        return float(canvas.get_attribute("data-zoom"))

    shown.get_by_role("button", name="Zoom in").click()
    assert zoom() == 1.6
    canvas.press("+")
    canvas.press("+")
    assert zoom() > 4 and points(shown) < whole
    shown.get_by_role("button", name="Zoom out").click()
    assert zoom() < 3
    canvas.press("0")
    assert zoom() == 1 and points(shown) == whole
    # the wheel zooms once the map has the focus, otherwise it scrolls the page
    canvas.scroll_into_view_if_needed()
    canvas.hover()
    shown.mouse.wheel(0, -300)
    assert zoom() > 1.5
    canvas.press("0")
    for _ in range(30):
        canvas.press("Shift+ArrowRight")
    assert points(shown) == 0
    shown.get_by_role("button", name="Whole map").click()
    assert points(shown) == whole
    box = canvas.bounding_box()
    shown.mouse.move(box["x"] + 5, box["y"] + 5)
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] - 5, box["y"] + 5, steps=5)
    shown.mouse.up()
    assert points(shown) < whole / 3


def test_two_fingers_zoom_the_map(faulty_report, open_html):
    shown = open_html(render_page(faulty_report), viewport={"width": 390, "height": 800}, has_touch=True)
    canvas = drawn(shown)
    canvas.evaluate("""(canvas) => {
        canvas.setPointerCapture = () => {};
        const send = (name, id, x, y) => {
            const box = canvas.getBoundingClientRect();
            const at = { clientX: box.left + x, clientY: box.top + y };
            canvas.dispatchEvent(new PointerEvent(name, { pointerId: id, pointerType: "touch", ...at }));
        };
        send("pointerdown", 1, 100, 100);
        send("pointerdown", 2, 200, 100);
        send("pointermove", 2, 300, 100);
        send("pointerup", 1, 100, 100);
        send("pointerup", 2, 300, 100);
    }""")
    points(shown)
    assert float(canvas.get_attribute("data-zoom")) == pytest.approx(2, abs=0.05)


def test_the_legend_filters_and_colours_by_every_attribute(faulty_report, open_html):
    shown = open_html(render_page(faulty_report), viewport={"width": 1280, "height": 900})
    drawn(shown)
    labels = shown.locator(".map-values label")
    assert shown.locator("#map-colour option").all_inner_texts()[:5] == [
        "mask",
        "gender",
        "age",
        "All attributes together",
        "split",
    ]
    counts = {text.split("\\n")[0] for text in labels.all_inner_texts()}
    assert labels.count() == 4 and len(counts) == 4
    labels.nth(0).locator("input").uncheck()
    assert points(shown) == 167 + 89 - 120
    shown.get_by_role("button", name="None", exact=True).click()
    assert points(shown) == 0
    shown.get_by_role("button", name="All", exact=True).click()
    assert points(shown) == 256
    shown.locator("#map-colour").select_option("split")
    assert shown.locator(".map-values .name").all_inner_texts() == ["train", "eval"]
    shown.locator(".map-values input").nth(0).uncheck()
    assert points(shown) == 89


def test_without_scripts_the_tables_are_there_and_the_map_is_not(faulty_report, open_html):
    shown = open_html(render_page(faulty_report), java_script_enabled=False)
    assert not shown.locator("canvas").is_visible()
    assert shown.get_by_role("region", name="Neighbours of each class").is_visible()
    assert shown.locator("noscript").inner_text() == "The map needs JavaScript."


def test_the_map_of_many_images_is_a_sample(analysed, faulty):
    analysis = analysed(faulty / "train", points=100)
    assert 80 <= len(analysis.found_map.rows) <= 100
    html = Texts(render_page(analysis))
    assert f"The map has {len(analysis.found_map.rows)} of 167 images" in html.text
    frame = pd.Series(analysis.data.table.classes())
    taken = frame[analysis.found_map.rows].value_counts()
    whole = frame.value_counts()
    assert all(taken[code] == count for code, count in whole.items() if count <= 5)


def test_numbers_of_the_embedding_are_finite_without_any(faulty_report):
    """A map of which no image has an embedding has no points."""
    empty = replace(faulty_report.found_map, rows=faulty_report.found_map.rows[:0])
    empty = replace(empty, positions=empty.positions[:0], neighbours=empty.neighbours[:0])
    html = render_page(replace(faulty_report, found_map=empty, neighbours=[]), "none")
    assert json.loads(content_of(html))["map"]["x"] == []
