"""The review page saves at every key: reloads, a killed server, lost answers, two windows, two reviewers."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

from tests.exploration.review.page.conftest import SUSPECTS, text, until

KEPT = [("00", "gender", "keep", ""), ("00", "age", "keep", "")]
FAILED_REQUEST = "Failed to load resource|ERR_"  # what Chromium logs if the server does not answer


def answering(content: dict[str, Any]) -> Callable[[Any], None]:
    """A route that answers with JSON."""
    return lambda route: route.fulfill(json=content)


def test_a_reload_in_the_middle_resumes_at_the_first_open_item(serve, opened, keys):
    review = serve()
    shown = opened(review)
    keys(shown, "k", "ArrowRight", "k")
    shown.reload()
    shown.wait_for_selector("body:not(.loading)")
    assert text(shown, "#position") == f"2 of {SUSPECTS}" and text(shown, "#count-decided") == "2"
    keys(shown, "m", saved=False)
    shown.reload()
    shown.wait_for_selector("body:not(.loading)")
    assert shown.locator("#grid").is_visible() and shown.locator(".cell.at").get_attribute("data-at") == "1"
    assert [row[2] for row in review.rows()] == ["keep", "keep"]


def test_a_killed_server_loses_nothing(serve_process, opened, keys):
    """What was saved is in the file; what was decided without the server is saved when it is back."""
    review = serve_process(0)
    shown = opened(review, expected=FAILED_REQUEST)
    keys(shown, "k")
    review.process.send_signal(signal.SIGKILL)
    review.process.wait()
    assert review.rows() == KEPT[:1]
    keys(shown, "k", "s", saved=False)
    shown.locator("#offline").wait_for()
    assert text(shown, "#offline-text").startswith("Not saved, retrying: 2 decisions.")
    assert text(shown, "#count-decided") == "3"  # shown at once
    asked: list[str] = []
    shown.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    shown.close(run_before_unload=True)
    until(shown, lambda: asked == ["beforeunload"])
    again = serve_process(int(re.search(r":(\d+)/", review.url)[1]))
    opened(again, context=shown.context)  # the new token, for all tabs
    shown.locator("#retry").click(timeout=5000) if shown.locator("#offline").is_visible() else None
    until(shown, lambda: text(shown, "#saved") == "All saved" and not shown.locator("#offline").is_visible())
    assert [row[1:] for row in again.rows()] == [
        ("gender", "keep", ""),
        ("age", "keep", ""),
        ("product", "relabel", "product 03"),
    ]


def test_a_page_of_another_channel_at_the_same_port_decides_nothing(serve, opened, keys):
    review = serve()
    shown = opened(review, expected=FAILED_REQUEST)
    version = review.app.data.version
    assert shown.locator("#stage-images img").first.get_attribute("src").endswith(f"&version={version}")
    vars(review.app.data)["version"] = "of another channel"  # the server after a restart with this channel
    keys(shown, "k")
    shown.locator("#refused").wait_for()
    assert "reload the page" in text(shown, "#refused-text") and review.rows() == []


def test_what_a_tab_had_not_saved_is_saved_after_its_reload(serve, opened, keys):
    review = serve()
    shown = opened(review, expected=FAILED_REQUEST)
    shown.on("dialog", lambda dialog: dialog.accept())
    shown.route("**/api/decisions", lambda route: route.abort())  # posts only: polls have a query
    keys(shown, "k", "k", saved=False)
    shown.locator("#offline").wait_for()
    shown.unroute("**/api/decisions")
    shown.reload()
    shown.wait_for_selector("body:not(.loading)")
    keys(shown)
    assert review.rows() == KEPT and text(shown, "#count-decided") == "2"


def test_a_decision_whose_answer_was_lost_is_saved_once(serve, opened, keys):
    review = serve()
    shown = opened(review, expected=FAILED_REQUEST)
    lost: list[int] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    shown.route("**/api/decisions", lose)
    keys(shown, "k", "k")
    assert lost == [200] and review.rows() == KEPT


def test_a_refused_decision_is_shown_and_withdrawn(serve, opened, keys):
    shown = opened(serve(), expected=FAILED_REQUEST)
    shown.route("**/api/decisions", lambda route: route.fulfill(status=400, json={"error": "no such class"}))
    keys(shown, "s", saved=False)
    shown.locator("#refused").wait_for()
    assert text(shown, "#refused-text") == "Not saved: no such class" and text(shown, "#count-open") == str(SUSPECTS)


def test_two_windows_show_each_other_what_was_decided(serve, opened, keys):
    review = serve()
    one = opened(review)
    other = opened(review, context=one.context)
    keys(one, "k")
    until(other, lambda: text(other, "#count-decided") == "1")
    assert text(other, "#decided") == "anna: label is right"


def test_two_windows_do_not_overwrite_each_other(serve, opened, keys):
    review = serve()
    one = opened(review)
    other = opened(review, context=one.context, expected=FAILED_REQUEST)
    for is_own in (False, True):
        # the other window does not hear of the first one's decision
        nothing = {"sequence": len(review.rows()), "generation": 0, "decisions": []}
        other.route("**/api/decisions?*", answering(nothing))
        other.wait_for_timeout(100)
        keys(one, "k")
        keys(other, "s", saved=False)
        other.locator("#conflicts .banner").wait_for()
        other.unroute("**/api/decisions?*")
        assert "label is right. Yours: → " in text(other, "#conflicts p")
        assert review.rows()[-1][2] == "keep"
        other.get_by_role("button", name="Use mine" if is_own else "Keep theirs").click()
        until(other, lambda: not other.locator("#conflicts").is_visible())
        keys(other)
    assert [row[2] for row in review.rows()] == ["keep", "keep", "relabel"]
    until(one, lambda: text(one, "#count-decided") == "2")


def test_disagreements_of_two_reviewers_are_listed_and_open_their_item(serve, opened, keys):
    review = serve()
    shown = opened(review)
    keys(shown, "k", "k")
    shown.locator("[data-action=reviewer]").click()
    shown.get_by_label("Name, written beside each decision").fill("ben")
    keys(shown, "Enter", "ArrowLeft", "ArrowLeft", "s", saved=False)
    keys(shown)
    assert review.column("reviewer") == ["anna", "anna", "ben"] and review.rows()[-1][1:] == (
        "gender",
        "relabel",
        "male",
    )
    button = shown.get_by_role("button", name="1 disagreement")
    button.click()
    row = shown.locator("#disagreements-rows tr")
    assert row.locator("li").all_inner_texts() == ["anna: label is right", "ben: → male"]
    row.get_by_role("button").click()
    assert text(shown, "#position") == f"1 of {SUSPECTS}" and text(shown, "#decided") == "ben: → male"


def test_the_header_shows_progress_the_rate_and_the_audit(serve, opened, keys):
    review = serve()
    shown = opened(review)
    assert text(shown, "#audit").startswith("No audit yet")
    rates = {"gender": {"group_rate": {"value": 0.06, "low": 0.028, "high": 0.125}}}
    sentences = [
        "100 of 100 sampled groups are reviewed",
        "gender: ...",
        "wrong labels still unseen: 14 (8 to 21); ...",
    ]
    audit = {"reviewed": 100, "attributes": rates, "sentences": sentences}
    answer = {"reviewed": 3, "total": SUSPECTS, "per_minute": 12.0, "audit": audit}
    shown.route("**/api/progress", lambda route: route.fulfill(json=answer))
    keys(shown, "k", "k", "k")
    expected = (
        "Wrong labels still unseen: 14 (8 to 21). Share of wrong labels: gender 6.0\u00a0% (2.8 to 12.5\u00a0%). "
    )
    until(shown, lambda: text(shown, "#audit") == f"{expected}100 of 100 sampled groups are reviewed.")
    assert text(shown, "#rate") == "12 per minute" and text(shown, "#left") == "about 2 min left"
    assert shown.locator("#progress").get_attribute("aria-valuetext") == f"3 of {SUSPECTS} items"
