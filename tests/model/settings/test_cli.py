"""Flags, --help, --help-all, --version and the tables of settings."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from model import __version__
from model.errors import InputError
from model.settings.cli import (
    HELP,
    HELP_ALL,
    VERSION,
    TextRequested,
    from_flags,
    help_text,
    parse_flags,
    settings_table,
)
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import Layer, build, setting
from model.settings.inference import InferenceSettings
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings


@dataclass(frozen=True)
class Toy:
    data_dir: str | None = setting(None, "Where", unset="DATA_DIR or data", section="Paths", common=True)
    size: list[int] = setting([], "Height and width", unit="pixels", low=8)
    rate: float = setting(0.1, "A rate", section="Numbers", common=True)
    fast: bool = setting(False, "Be quick | or not")
    mode: str = setting("soft", "How", choices=("soft", "vote"))
    style: str = setting("a", "a or b", choices=("a", "b"))
    table: str | None = setting(None, "A table", placeholder="FILE")
    options: dict[str, Any] = setting({"x": 1}, "More")


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
    files: list[str] = setting([], "What is joined", positional=True)
    output: str = setting("out", "Where")


def test_words_before_the_first_flag_are_the_positional_setting() -> None:
    for words in (["a b.csv", "c,d:2", "--output", "x"], ["--files", "a b.csv", "c,d:2", "--output", "x"]):
        settings = build(Joining, [Layer("--{}", parse_flags(Joining, words))])
        assert (settings.files, settings.output) == (["a b.csv", "c,d:2"], "x")
    assert "  FILES " in help_text(Joining, "") and "--files" not in help_text(Joining, "")


def test_words_after_the_value_of_a_flag_are_positional_too() -> None:
    for words in (["a", "--output", "x", "b"], ["--output=x", "a", "b"], ["--output", "x", "a", "b"]):
        settings = build(Joining, [Layer("--{}", parse_flags(Joining, words))])
        assert (settings.files, settings.output) == (["a", "b"], "x")


def test_a_path_without_a_flag_is_taken_for_the_main_input() -> None:
    with pytest.raises(InputError) as caught:
        parse_flags(TrainSettings, ["data/train", "lrr"])
    assert str(caught.value).splitlines()[1:] == [
        "  'data/train' belongs to no flag; flags start with --; did you mean --train_dir data/train?",
        "  'lrr' belongs to no flag; flags start with --; nearest: lr",
    ]


def test_all_invalid_flags_are_reported_together() -> None:
    with pytest.raises(InputError) as caught:
        parse_flags(Toy, ["rate", "--rate", "1", "2", "--mode", "--dat-dir"])
    assert str(caught.value).splitlines() == [
        "flags:",
        "  'rate' belongs to no flag; flags start with --; nearest: rate",
        "  --rate takes one value, not 2: 1 2",
        "  --mode needs a value",
        "  --dat_dir: there is no such setting; nearest: data_dir",
    ]


@pytest.mark.parametrize(
    ("flag", "advice"),
    [
        ("--quiet", ""),
        ("--no_pretrained", "; to switch pretrained off, set --pretrained false"),
        ("--no-pretraind", "; nearest: pretrained"),
        ("--help-al", "; nearest: help-all"),
        ("--lerning_rate", "; nearest: lr"),
    ],
)
def test_a_flag_without_a_value_that_is_no_setting_is_reported_as_unknown(flag: str, advice: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_flags(TrainSettings, [flag])
    name = flag[2:].replace("-", "_")
    assert str(caught.value) == f"flags:\n  --{name}: there is no such setting{advice}"


def test_an_alias_without_a_value_is_known() -> None:
    with pytest.raises(InputError, match="--kfold_num needs a value"):
        parse_flags(TrainSettings, ["--kfold_num"])


def test_build_reports_unknown_flags_with_the_nearest_name() -> None:
    """However many words follow them."""
    with pytest.raises(InputError, match="--siz: there is no such setting; nearest: size"):
        build(Toy, [Layer("--{}", parse_flags(Toy, ["--siz", "128", "96"]))])


@pytest.mark.parametrize(
    ("flag", "text"),
    [("-h", HELP), ("--help", HELP), ("--help-all", HELP_ALL), ("--help_all", HELP_ALL), ("--version", VERSION)],
)
def test_a_text_may_be_requested_at_any_position(flag: str, text: str) -> None:
    """Before anything else is checked."""
    with pytest.raises(TextRequested) as requested:
        parse_flags(Toy, ["stray", "--rate", "x", flag])
    assert requested.value.text == text


def test_help_all_describes_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = help_text(Toy, "What it does.")
    assert text.startswith("What it does.\n\nPaths:\n  --data_dir DIR              Where (default: DATA_DIR or data)\n")
    assert "  --size N ...                Height and width (pixels; default: none)\n\nNumbers:\n" in text
    assert "  --rate X                    A rate (default: 0.1)\n" in text
    assert "  --fast true|false           Be quick | or not (default: false)\n" in text
    assert "  --mode NAME                 How: one of soft, vote (default: soft)\n" in text
    assert "  --table FILE                A table (default: none)\n" in text
    assert "  --style NAME                a or b (default: a)\n" in text, "the meaning lists the choices itself"
    assert text.endswith("  --options {...}             More (default: x 1)\n")


def test_help_has_the_summary_the_examples_and_the_common_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = help_text(Toy, "What it does.\n\n    toy --rate 1\n\nDetails.", common_only=True, program="python toy.py")
    assert text == (
        "What it does.\n\n    toy --rate 1\n\nCommon settings:\n"
        "  --data_dir DIR              Where (default: DATA_DIR or data)\n"
        "  --rate X                    A rate (default: 0.1)\n\n"
        "All 8 settings: python toy.py --help-all\n"
    )


def test_help_of_a_program_without_common_settings_lists_all() -> None:
    usage = "What it does.\n\n    join a b\n\nDetails."
    assert help_text(Joining, usage, common_only=True) == help_text(Joining, usage)


@pytest.mark.parametrize(("flag", "expected"), [("--help", "--rate X"), ("--version", f"rarebird {__version__}\n")])
def test_a_program_of_flags_alone_prints_the_text_and_ends(flag: str, expected: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        from_flags(Toy, [flag], "What it does.")
    out = capsys.readouterr().out
    assert not ended.value.code and expected in out and "--size" not in out


@pytest.mark.parametrize("settings", [TrainSettings, InferenceSettings, EvaluationSettings, ServeSettings])
def test_meanings_are_sentences_and_few_settings_are_common(settings: type) -> None:
    fields = dataclasses.fields(settings)
    for field in fields:
        text = field.metadata["help"]
        assert text[-1] != "." and " else " not in text, field.name
        assert text[0].isupper() or text.startswith("auto:"), field.name
    assert 12 <= sum(field.metadata["common"] for field in fields) <= 18


@pytest.mark.parametrize("settings", [TrainSettings, InferenceSettings, EvaluationSettings])
@pytest.mark.parametrize("columns", [60, 100, 200])
def test_help_and_table_have_every_setting_of_the_jobs(
    settings: type, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text, table = help_text(settings, "usage"), settings_table(settings)
    for field in dataclasses.fields(settings):
        name = "IMAGE " if field.metadata["positional"] else f"--{field.name} "
        assert f"\n  {name}" in text
        assert f"\n| `{field.name}` | " in table
    assert max(map(len, text.splitlines())) <= max(columns, 70)
    assert "\n\n\n" not in text


def test_the_table_is_markdown() -> None:
    lines = settings_table(Toy).splitlines()
    assert lines[:4] == [
        "| setting | default | meaning |",
        "| --- | --- | --- |",
        "| **Paths** | | |",
        "| `data_dir` | DATA_DIR or data | Where |",
    ]
    assert "| `fast` | `false` | Be quick \\| or not |" in lines
    assert "| `size` | `none` | Height and width (pixels) |" in lines
