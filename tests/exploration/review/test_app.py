"""The routes: what they answer, what they refuse, and failures of files."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from exploration.review import app
from exploration.review.queues import IMAGE, Item, items_of_rows
from exploration.review.review_data import ReviewData
from exploration.review.row_labels import RowLabels
from exploration.review.security import cookie_name
from model.cleaning.audit import Audit
from model.data.corrections import read_corrections
from model.data.table import Table
from model.errors import Problems

PORT, TOKEN = 8765, "the-token"
TIME = "2027-01-15T08:00:00Z"


def test_the_page_sets_the_cookie_that_other_requests_need(open_review):
    client = TestClient(open_review().review.app(), f"http://127.0.0.1:{PORT}")
    assert client.get("/").status_code == client.get("/api/session").status_code == 403
    page = client.get(f"/?token={TOKEN}")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    cookie = page.headers["set-cookie"]
    assert cookie == f"{cookie_name(PORT)}={TOKEN}; HttpOnly; Path=/; SameSite=strict" and TOKEN not in page.text
    assert client.get("/api/session").json()["reviewer"] == "ann"


def test_only_the_files_of_the_page_are_served(open_review, tmp_path, monkeypatch):
    folder = tmp_path / "page"
    folder.mkdir()
    types = {"review.css": "text/css", "review.js": "text/javascript"}
    for name in (*types, "review.html"):
        (folder / name).write_text(name)
    (tmp_path / "app.js").write_text("outside")
    monkeypatch.setattr(app, "PAGE", folder)
    review = open_review()
    for name, media_type in types.items():
        answer = review.client.get(f"/static/{name}")
        assert (answer.text, answer.headers["content-type"]) == (name, f"{media_type}; charset=utf-8")
    assert review.client.get("/").text == "review.html"
    for name in ("review.html", "none.js", "", "%2e", "%2e%2e", "%2e%2e/app.js", "..%2fapp.js", "a/review.js"):
        assert review.client.get(f"/static/{name}").status_code == 404


def test_the_session_describes_the_channel_and_the_queue(open_review, labels):
    neighbours = ((2, "worn"), (9, "none"))
    item = Item(0, IMAGE, labels.paths[3], labels.groups[3], "age", "25", "61", 0.5, "Why.", (3,), neighbours)
    session = open_review([item], source="suspects").get("/api/session")
    assert session["items"] == [
        {
            "id": 0, "level": "image", "path": labels.paths[3], "group": labels.groups[3], "attribute": "age",
            "given": "25", "suggested": "61", "score": 0.5, "reason": "Why.", "images": [3],
            "neighbours": [[2, "worn"], [9, "none"]], "row": 3,
        }
    ]  # fmt: skip
    del session["items"]
    version = session["images"]["version"]
    age = ["under 30", "30 to 59", "60 and over"]
    assert session == {
        "title": "Review of train",
        "source": "suspects",
        "channel": str(labels.table.root),
        "corrections": "corrections.csv",
        "reviewer": "ann",
        "grouped_by": "person",
        "attributes": [
            {"name": "mask", "values": ["worn", "incorrect", "none"], "number": False, "unit": "", "cuts": []},
            {"name": "gender", "values": ["male", "female"], "number": False, "unit": "", "cuts": []},
            {"name": "age", "values": age, "number": True, "unit": "years", "cuts": [30.0, 60.0]},
        ],
        "images": {"count": 168, "version": version},
        "audit": None,
        "sequence": 1,
        "generation": 0,
    }


def test_the_session_is_compressed_if_the_client_accepts_it(open_review):
    review = open_review()
    with review.client.stream("GET", "/api/session", headers={"Accept-Encoding": "gzip"}) as answer:
        content = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    plain = review.client.get("/api/session", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert json.loads(gzip.decompress(content)) == plain.json() and len(content) < len(plain.content) / 3


def test_images_and_their_labels(open_review, labels):
    review = open_review()
    image = {"row": 3, "path": labels.paths[3], "group": labels.groups[3], "labels": labels.labels(3)}
    image["metadata"] = {"race": "drawn"}
    assert review.get("/api/image/3") == {**image, "width": 36, "height": 48}
    assert review.get("/api/images?rows=3,4")["images"][0] == image
    for size in ("?size=thumb", "?size=large", ""):
        answer = review.client.get(f"/image/3{size}")
        assert answer.headers["content-type"] == "image/jpeg" and answer.content[:2] == b"\xff\xd8"
        assert answer.headers["cache-control"].startswith("private")
    assert review.client.get("/image/3?size=huge").json() == {"error": "size 'huge', expected thumb or large"}


@pytest.mark.parametrize(
    "name",
    [
        *("168", "-1", "1.0", "1e1", "٣", "x", "", "0x1", "9" * 30, "3/", "/etc/passwd", "images/1.jpg"),
        *("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd"),
        "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    ],
)
def test_only_rows_of_the_table_are_served(open_review, name):
    review = open_review()
    for path in ("/image/", "/api/image/"):
        answer = review.client.get(path + name)
        assert answer.status_code == 404 and list(answer.json()) == ["error"] and "root:" not in answer.text
    assert review.client.get(f"/api/images?rows=3,{name}").status_code == 404


def test_a_removed_image_has_a_reason(open_review, labels, monkeypatch):
    review = open_review()
    monkeypatch.setattr(review.review.images, "root", Path("/nowhere"))
    for path in ("/image/3", "/api/image/3"):
        answer = review.client.get(path)
        assert answer.status_code == 404 and "row 3: " in answer.json()["error"]


def test_decisions_are_saved_and_listed(open_review, labels, tmp_path):
    items = [Item(0, IMAGE, labels.paths[3], labels.groups[3], "mask", "worn", images=(3,))]
    items += [replace(item, id=1) for item in items_of_rows(labels, range(7, 14), "group")]
    review = open_review(items, source="suspects")
    first = review.post(
        item=0, row=3, group=None, attribute="mask", action="relabel", value="none", reviewer="", after=1
    )
    expected = {
        "sequence": 2, "item": 0, "row": 3, "path": labels.paths[3], "group": labels.groups[3], "attribute": "mask",
        "action": "relabel", "value": "none", "reviewer": "ann", "time": TIME, "source": "suspects",
    }  # fmt: skip
    assert first == {"sequence": 2, "decision": expected, "others": []}
    group = labels.groups[7]
    second = review.post(
        item=None, row=None, group=group, attribute="age", action="relabel", value="62", reviewer="bob"
    )
    assert (second["decision"]["row"], second["decision"]["item"], second["decision"]["group"]) == (None, 1, group)
    third = review.post(row=20, attribute="", action="delete", reviewer="bob", source="search")
    listed = review.get("/api/decisions?after=0")
    assert listed["sequence"] == 4 and listed["decisions"] == [
        expected, second["decision"], third["decision"]
    ]  # fmt: skip
    assert review.get("/api/decisions?after=2")["decisions"] == listed["decisions"][1:]
    assert review.get("/api/decisions?after=4")["decisions"] == []
    assert review.get("/api/decisions?after=99")["decisions"] == listed["decisions"]  # of a file that was replaced
    rows = read_corrections(tmp_path / "corrections.csv", Problems(""))
    assert [row.given for row in rows] == [labels.text(3, "mask"), labels.text(7, "age"), ""]
    assert [row.path for row in rows] == [labels.paths[3], "", labels.paths[20]]
    assert [row.source for row in rows] == ["suspects", "suspects", "search"]


def test_a_decision_on_a_suspect_group_keeps_its_given_label(open_review, labels, tmp_path):
    group = labels.groups[7]
    item = Item(0, "group", labels.paths[7], group, "mask", "mostly worn", images=tuple(labels.rows_of[group]))
    open_review([item]).post(item=0, group=group, attribute="mask", action="keep")
    assert read_corrections(tmp_path / "corrections.csv", Problems(""))[0].given == "mostly worn"


def test_windows_are_told_of_each_other(open_review):
    review, other = open_review(), open_review()
    body = {"row": 3, "attribute": "mask", "after": 1}
    own = review.post(**body, action="keep", window="one")["decision"]
    conflict = other.post(409, **body, action="relabel", value="none", reviewer="bob", window="two")
    assert conflict["current"] == own and "keep (ann)" in conflict["error"]
    assert review.post(**body, action="unsure", window="one")["sequence"] == 3
    other.post(**{**body, "after": 3}, action="relabel", value="none", reviewer="bob", window="two")
    assert [row["action"] for row in review.get("/api/decisions?after=2")["decisions"]] == ["unsure", "relabel"]
    undone = other.post(**{**body, "after": 4}, action="undo", reviewer="bob", window="two")
    assert undone["decision"]["action"] == "undo"
    assert other.post(400, **body, action="undo", reviewer="bob")["error"] == "bob has nothing to undo here"


VALID = {"row": 3, "attribute": "mask", "action": "keep", "after": 1}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"row": None}, "row or group must be given"),
        ({"row": 168}, "row 168, expected at most 167"),
        ({"row": -1}, "row '-1', expected a whole number"),
        ({"row": True}, "row 'True', expected a whole number"),
        ({"row": "3"}, "row '3', expected a whole number"),
        ({"row": 3.0}, "row '3.0', expected a whole number"),
        ({"item": 24}, "item 24, expected at most 23"),
        ({"row": None, "group": "nobody"}, "group 'nobody': there is no such group"),
        ({"group": "000009"}, "is in group '000001', not in '000009'"),
        ({"row": None, "group": 7}, "group '7', expected a text"),
        ({"attribute": "maks"}, "attribute 'maks', expected one of mask, gender, age; nearest: mask"),
        (
            {"action": "kepe"},
            "action 'kepe', expected one of relabel, delete, keep, marked, unsure, undo; nearest: keep",
        ),
        ({"action": None}, "action '', expected one of"),
        ({"action": "relabel", "value": "wron"}, "value 'wron' of mask, expected worn, incorrect, none; nearest: worn"),
        ({"action": "relabel", "value": ""}, "value '' of mask"),
        ({"action": "relabel", "attribute": "age", "value": "old"}, "expected a number or one of under 30"),
        ({"action": "relabel", "attribute": "", "value": "worn"}, "attribute is missing"),
        ({"action": "delete"}, "delete is about the whole image"),
        ({"value": "worn"}, "only relabel has a value"),
        ({"reviewer": "a\nb"}, "reviewer: expected at most 200 printable characters"),
        ({"reviewer": "x" * 201}, "reviewer: expected at most 200 printable characters"),
        ({"after": "now"}, "after 'now', expected a whole number"),
        ({"aftre": 1}, "unknown field 'aftre'; nearest: after"),
        ({"path": "../../etc/passwd"}, "unknown field 'path'"),
        ({"version": "0" * 16}, "this page shows other images than the server has now; reload the page"),
    ],
)
def test_invalid_decisions_are_refused(open_review, changed, message):
    review = open_review()
    answer = review.post(400, **{**VALID, **changed})
    assert message in answer["error"]
    assert review.get("/api/decisions")["sequence"] == 1


def test_the_version_of_the_images_differs_if_rows_or_contents_differ(open_review, labels):
    def version_of(table: Table) -> str:
        return ReviewData(RowLabels(table), (), "all", "corrections.csv", "ann").version

    table = labels.table
    review = open_review()
    version = review.get("/api/session")["images"]["version"]
    review.post(**VALID, version=version)
    assert version_of(table) == version_of(replace(table)) == version
    others = [table.take(np.arange(5)), table.take(np.arange(len(table))[::-1]), replace(table, root=table.root / "x")]
    changed = replace(table.contents, hashes=table.contents.hashes + np.uint64(1))
    assert len({version, *map(version_of, [*others, replace(table, contents=changed)])}) == 5


def test_labels_are_saved_as_the_channel_spells_them(open_review):
    review = open_review()
    for attribute, value, saved in (
        ("age", "60 and over", "60 and over"),
        ("age", "61.5", "61.5"),
        ("mask", " worn ", "worn"),
    ):
        posted = review.post(row=3, attribute=attribute, action="relabel", value=value)
        assert posted["decision"]["value"] == saved


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"{", {}, 400, "not JSON"),
        (b"[1]", {}, 400, "expected a JSON object"),
        (b"\xff", {}, 400, "not JSON"),
        (
            json.dumps(VALID).encode(),
            {"Content-Type": "text/plain"},
            415,
            "application/json",
        ),  # as forms of other sites
        (json.dumps(VALID).encode(), {"Content-Encoding": "gzip"}, 415, "uncompressed"),
        (b'{"value": "' + b"x" * 70_000 + b'"}', {}, 413, "0.0625 MiB"),
        (b"[" * 60_000, {}, 400, "not JSON"),
        (b'{"row": 3, "action": "keep", "reviewer": "\\ud800"}', {}, 400, "reviewer: expected at most 200 printable"),
    ],
)
def test_bodies_that_are_no_decision_are_refused(open_review, body, headers, status, message):
    answer = open_review().client.post(
        "/api/decisions", content=body, headers={"Content-Type": "application/json", **headers}
    )
    assert answer.status_code == status and message in answer.json()["error"]


def test_other_methods_are_refused(open_review):
    review = open_review()
    for path in ("/", "/api/session", "/image/3", "/api/image/3", "/api/progress", "/static/review.js"):
        assert review.client.post(path).status_code == 405
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"):
        assert review.client.request(method, "/api/decisions").status_code == 405
    assert review.client.get("/nowhere").status_code == 404


def test_progress_and_disagreements(open_review, labels):
    review = open_review()
    group = labels.groups[7]
    empty = {"reviewed": 0, "total": 24, "by_action": {}, "per_minute": 0.0, "disagreements": [], "audit": None}
    assert review.get("/api/progress") == empty
    review.post(group=group, attribute="gender", action="keep", reviewer="ann")
    review.post(group=group, attribute="gender", action="relabel", value="male", reviewer="bob")
    review.post(group=labels.groups[14], attribute="", action="keep", reviewer="bob")
    progress = review.get("/api/progress")
    assert (progress["reviewed"], progress["by_action"], progress["per_minute"]) == (2, {"keep": 1, "relabel": 1}, 3.0)
    assert [[(row["reviewer"], row["action"]) for row in rows] for rows in progress["disagreements"]] == [
        [("ann", "keep"), ("bob", "relabel")]
    ]
    review.post(group=group, attribute="gender", action="undo", reviewer="bob")
    assert review.get("/api/progress")["disagreements"] == []


def test_the_audit_is_estimated_from_the_decisions(open_review, labels):
    sample = list(labels.rows_of)[:6]
    audit = Audit(labels.table, sample)
    rows = [row for group in sample for row in labels.rows_of[group]]
    review = open_review(items_of_rows(labels, rows, "group"), "audit", audit)
    assert review.get("/api/session")["audit"] == review.get("/api/progress")["audit"] == audit.result([]).to_dict()
    review.post(group=sample[0], attribute="", action="keep")
    review.post(group=sample[1], attribute="gender", action="marked")
    shown = review.get("/api/progress")["audit"]
    with review.review.store.reading() as content:
        assert shown == audit.result(content.decisions).to_dict()
    assert shown["reviewed"] == 2 and shown["attributes"]["gender"]["wrong"] == 1 and shown["sentences"]
    assert review.get("/api/progress")["reviewed"] == 2
    review.post(group=sample[1], attribute="gender", action="undo")
    assert review.get("/api/progress")["audit"]["attributes"]["gender"]["wrong"] == 0


def test_search(open_review, labels):
    found = open_review().get("/api/search?q=000002 Normal")
    assert found["total"] == 1 and "normal" in labels.paths[found["rows"][0]]
    assert open_review().get("/api/search?q=") == {"rows": [], "total": 0}


def test_a_file_that_cannot_be_written_or_read_is_an_error_and_nothing_is_lost(open_review, tmp_path, monkeypatch):
    review = open_review()
    review.post(**VALID)
    path = tmp_path / "corrections.csv"
    content = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        error = review.post(500, **{**VALID, "row": 4})["error"]
        assert error == f"not saved: {path}: No space left on device" and path.read_bytes() == content
    path.unlink()
    path.mkdir()
    assert "Is a directory" in review.post(500, **VALID)["error"]
    for url in ("/api/session", "/api/decisions", "/api/progress"):
        assert "Is a directory" in review.get(url, expect=500)["error"]
    path.rmdir()
    path.write_text("other,columns\n")
    assert "its columns are other, columns" in review.get("/api/decisions", expect=500)["error"]
    assert "its columns are other, columns" in review.post(500, **VALID)["error"]
    path.write_bytes(content)
    listed = review.get("/api/decisions?after=0")
    assert listed["generation"] > 0 and [row["action"] for row in listed["decisions"]] == ["keep"]
