"""Checks of a page that Playwright shows: accessibility by axe, and elements whose content does not fit."""

from __future__ import annotations

from typing import Any


def serious(shown: Any) -> list[tuple[str, str, str]]:
    """Violations that axe calls serious or critical: rule, first element, and how to mend it."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(shown).response["violations"]
    severe = [each for each in violations if each["impact"] in ("serious", "critical")]
    return [(each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"]) for each in severe]


def cut(shown: Any, selector: str = "body *", ignored: str = "[hidden]") -> list[str]:
    """Elements whose content is wider than they are.

    Args:
        shown: The page.
        selector: CSS selector of the elements that are checked.
        ignored: CSS selector of elements that are not, nor what is in them.
    """
    found: list[str] = shown.evaluate(
        """([selector, ignored]) => [...document.querySelectorAll(selector)].filter((e) => !e.closest(ignored))
            .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline")
            .map((e) => `${e.tagName} ${e.id} ${e.className} ${e.textContent.slice(0, 40)}`)""",
        [selector, ignored],
    )
    return found
