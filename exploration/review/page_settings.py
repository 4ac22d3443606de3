"""PageSettings: the settings of every command that serves a review page."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from model.settings.fields import setting


@dataclass(frozen=True)
class PageSettings:
    """Base of the settings of commands that serve the page."""

    corrections: str = setting(
        "corrections.csv", "File of the decisions, to which new ones are appended", common=True, placeholder="FILE"
    )
    reviewer: str | None = setting(None, "Who reviews", unset="login name", common=True, placeholder="NAME")
    port: int = setting(0, "Port of the page on 127.0.0.1; 0: any that is free", low=0, high=65535, common=True)
    open: bool = setting(True, "Open the page in a browser, if there is a display", common=True)

    @property
    def reviewer_name(self) -> str:
        """Who reviews: as set, otherwise the user; `reviewer` if the system has no name for the user."""
        try:
            return self.reviewer or getpass.getuser()
        except (KeyError, OSError):
            return "reviewer"
