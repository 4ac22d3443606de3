import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from model.errors import InputError
from model.settings.cli import HelpAsked, help_text, parse_flags, settings_table
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import Layer, build, setting
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings


@dataclass(frozen=True)
class Toy:
    data_dir: str | None = setting(None, "where", section="Places")
    size: list[int] = setting([], "height and width", unit="pixels", low=8)
    rate: float = setting(0.1, "a rate", section="Numbers")
    fast: bool = setting(False, "be quick | or not")
    mode: str = setting("soft", "how", choices=("soft", "vote"))
    options: dict[str, Any] = setting({"x": 1}, "more")


def test_flags_in_their_spellings() -> None:
    assert parse_flags(Toy, ["--data-dir", "x y", "--rate=0.2", "--fast"]) == {
        "data_dir": "x y",
        "rate": "0.2",
        "fast": "true",
    }
    assert parse_flags(Toy, ["--Data_Dir=a=b"]) == {"data_dir": "a=b"}
    assert parse_flags(Toy, ["--fast", "false"]) == {"fast": "false"}
    assert parse_flags(Toy, ["--rate", "-1"]) == {"rate": "-1"}
    assert parse_flags(Toy, ["--rate", "1", "--rate", "2"]) == {"rate": "2"}
    assert parse_flags(Toy, ["--size="]) == {"size": ""}
    assert parse_flags(Toy, []) == {}


def test_lists_and_mappings_take_several_words() -> None:
    for words in (["--size", "128", "96"], ["--size", "128,96"], ["--size=[128, 96]"], ["--size", "(128,", "96)"]):
        assert build(Toy, [Layer("--{}", parse_flags(Toy, words))]).size == [128, 96]
    flags = parse_flags(Toy, ["--options", "a=1", "b=x"])
    assert build(Toy, [Layer("--{}", flags)]).options == {"a": 1, "b": "x"}


@dataclass(frozen=True)
class Joining:
    files: list[str] = setting([], "what is joined", positional=True)
    output: str = setting("out", "where")


def test_words_before_the_first_flag_are_the_positional_setting() -> None:
    for words in (["a b.csv", "c,d:2", "--output", "x"], ["--files", "a b.csv", "c,d:2", "--output", "x"]):
        made = build(Joining, [Layer("--{}", parse_flags(Joining, words))])
        assert (made.files, made.output) == (["a b.csv", "c,d:2"], "x")
    assert "  FILES " in help_text(Joining, "") and "--files" not in help_text(Joining, "")


def test_words_behind_the_value_of_a_flag_are_positional_too() -> None:
    for words in (["a", "--output", "x", "b"], ["--output=x", "a", "b"], ["--output", "x", "a", "b"]):
        made = build(Joining, [Layer("--{}", parse_flags(Joining, words))])
        assert (made.files, made.output) == (["a", "b"], "x")


def test_a_path_without_a_flag_is_taken_for_the_main_input() -> None:
    with pytest.raises(InputError) as caught:
        parse_flags(TrainSettings, ["data/train", "lrr"])
    assert str(caught.value).splitlines()[1:] == [
        "  'data/train' stands alone; a flag begins with --, as in --train_dir data/train",
        "  'lrr' stands alone; a flag begins with --; nearest: lr",
    ]


def test_all_faulty_flags_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_flags(Toy, ["rate", "--rate", "1", "2", "--mode", "--dat-dir"])
    assert str(caught.value).splitlines() == [
        "flags:",
        "  'rate' stands alone; a flag begins with --; nearest: rate",
        "  --rate takes one value, not 2: 1 2",
        "  --mode needs a value",
        "  --dat_dir needs a value; nearest: data_dir",
    ]


def test_unknown_flags_are_left_to_be_told_with_the_nearest() -> None:
    """However many words follow them."""
    with pytest.raises(InputError, match="--siz: there is no such setting; nearest: size"):
        build(Toy, [Layer("--{}", parse_flags(Toy, ["--siz", "128", "96"]))])


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_asked_anywhere(flag: str) -> None:
    with pytest.raises(HelpAsked):
        parse_flags(Toy, ["--rate", "x", flag])


def test_help_tells_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = help_text(Toy, "usage: toy")
    assert text.startswith("usage: toy\n\nPlaces:\n  --data_dir DIR              where (default none)\n")
    assert "  --size N ...                height and width (pixels, default none)\n\nNumbers:\n" in text
    assert "  --rate X                    a rate (default 0.1)\n" in text
    assert "  --fast true|false           be quick | or not (default false)\n" in text
    assert "  --mode NAME                 how; one of soft, vote (default soft)\n" in text
    assert "  --options {...}             more (default x 1)\n" in text


@pytest.mark.parametrize("settings", [TrainSettings, InferenceSettings, EvaluationSettings])
@pytest.mark.parametrize("columns", [60, 100, 200])
def test_help_and_table_have_every_setting_of_the_jobs(
    settings: type, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text, table = help_text(settings, "usage"), settings_table(settings)
    for field in dataclasses.fields(settings):
        name = field.name.upper() if field.metadata["positional"] else f"--{field.name}"
        assert f"\n  {name}" in text
        assert f"\n| `{field.name}` | " in table
    assert max(map(len, text.splitlines())) <= max(columns, 70)
    assert "\n\n\n" not in text


def test_the_table_is_markdown() -> None:
    lines = settings_table(Toy).splitlines()
    assert lines[:4] == [
        "| setting | default | meaning |",
        "| --- | --- | --- |",
        "| **Places** | | |",
        "| `data_dir` | `none` | where |",
    ]
    assert "| `fast` | `false` | be quick \\| or not |" in lines
    assert "| `size` | `none` | height and width (pixels) |" in lines
