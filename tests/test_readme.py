"""README.md is short, its links exist, and its settings are those of the configuration that it names.

tests/long/test_readme.py runs its commands as they are, tests/jobs/test_main.py those of SageMaker, and
tests/docker_image/test_readme.py those of Docker.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import yaml

from tests.readme import README, ROOT, blocks
from tests.recipes import DOCUMENT, commands_of, draw, run

LONGEST = 180  # lines


def test_it_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_its_links_exist() -> None:
    text = README.read_text(encoding="utf-8")
    links = re.findall(r'\]\(([^)#]+)\)|(?:src|srcset)="([^"]+)"', text)
    assert len(links) > 10
    assert not [path for pair in links for path in pair if path and not (ROOT / path).exists()]


def test_its_yaml_is_in_the_configuration_that_it_names() -> None:
    (text,) = blocks("Train on your own images", "yaml")
    shown, config = yaml.safe_load(text), yaml.safe_load((ROOT / "configs" / "people.yaml").read_text("utf-8"))
    assert shown.items() <= config.items()


def test_the_first_commands_of_docs_data_run() -> None:
    """With --check_only nothing is written; without it there are a model and a report."""
    for name in ("cat", "dog"):
        for number in range(8):
            draw(f"animals/{name}/{number}.jpg")
    commands = commands_of(DOCUMENT.read_text(encoding="utf-8").partition("\n## ")[0])
    assert [("--check_only" in words) for words in commands] == [False, True]
    for words in reversed(commands):
        assert not Path("runs").exists()
        run([word.replace("DIR", "animals") for word in words])
    assert Path("runs/first/model.safetensors").is_file() and Path("runs/first.validation/report.html").is_file()
    assert set(pd.read_csv("runs/first.validation/gt.csv")["ans_name"]) == {"cat", "dog"}
