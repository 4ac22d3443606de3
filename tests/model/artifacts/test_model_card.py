"""Model cards: the numbers of earlier versions, and what a reader must know."""

import json
from pathlib import Path

import pytest

from model.artifacts.ensemble import COMBINE
from model.artifacts.ensemble_file import EnsembleMember, read_ensemble_file
from model.artifacts.metadata import read_json_object, read_settings_and_metrics
from model.artifacts.model_card import _classes_table, cell_text, ensemble_card, model_card
from model.attributes import Attribute
from model.decisions import Decision
from model.images.preprocessing import Preprocessing
from model.labels import Scheme
from model.network.heads import Heads

VERSIONS = Path(__file__).resolve().parents[2] / "earlier_versions"
CARDS = sorted(path.relative_to(VERSIONS).as_posix() for path in VERSIONS.rglob("README.md"))


def parts(folder: Path) -> tuple:
    """The arguments of model_card."""
    settings, metrics = read_settings_and_metrics(folder)
    labels = read_json_object(folder / "labels.json")
    heads = Heads.from_dict(Scheme.from_dict(labels), labels)
    return settings, heads, Preprocessing.from_dict(read_json_object(folder / "preprocessing.json")), metrics


@pytest.mark.parametrize("card", CARDS)
def test_the_numbers_in_the_cards_of_earlier_versions_are_made_again(card):
    folder, expected = (VERSIONS / card).parent, (VERSIONS / card).read_text(encoding="utf-8")
    if (folder / "ensemble.json").is_file():
        ensemble, labels = read_ensemble_file(folder), read_json_object(folder / "labels.json")
        new = ensemble_card("", Scheme.from_dict(labels), COMBINE[ensemble.combine], ensemble.members)
        assert table_values(new) == table_values(expected)
    else:
        assert table_values(model_card(*parts(folder)), "Classes") == table_values(expected, "Classes")


def table_values(card: str, section: str = "") -> list[str]:
    """Values of the tables below a heading, without their headers."""
    text = card.split(f"## {section}\n")[1].split("\n## ")[0] if section else card
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [value.strip() for row in rows[2:] for value in row.strip("|").split("|")]


def test_scores_have_their_intervals_and_settings_no_path(card):
    metrics = parts(VERSIONS / "v0_1_0" / "one")[3]
    low, high = metrics["validation"]["intervals"]["f1"]
    text = card()
    assert f"{metrics['validation']['f1']:.4f} | {low:.4f} to {high:.4f}" in text
    assert "The intervals are computed over groups of images by sender." in text and "95 % interval" in text
    assert "- `lr`: `0.05`" in text and "model_dir" not in text and "train_dir" not in text


def test_without_intervals_the_card_says_why(card):
    validation = parts(VERSIONS / "v0_1_0" / "one")[3]["validation"] | {"intervals": {}}
    text = card(validation=validation)
    assert "There are no intervals: the validation images are from too few groups." in text and "95 %" not in text


def test_the_data_are_named_and_the_shares_of_the_split_are_shown(card):
    data = read_json_object(VERSIONS / "v0_1_0" / "one" / "metrics.json")["data"]
    rows = ["| train      |       18 | 75.0 |        9 | 75.0 |", "| validation |        6 | 25.0 |        3 | 25.0 |"]
    text = card(data=data | {"name": "shop/train", "validation": {"pictures": 6, "groups": 3}})
    assert "Read from CSV train.csv in shop/train, grouped by sender." in text
    assert all(row in text for row in rows)
    text = card(validation=None, data=data | {"validation": None, "grouped_by": None})
    assert "Read from CSV train.csv.\n\n| split   |   images |     % |\n" in text
    assert "\n| train   |       18 | 100.0 |\n\n## Settings" in text


def test_corrections_of_the_labels_are_named(card):
    data = read_json_object(VERSIONS / "v0_1_0" / "one" / "metrics.json")["data"]
    record = {"file": "fixes.csv", "hash": "0123", "relabelled": {"gender": 1200, "age": 0}, "deleted": 3}
    text = card(data=data | {"corrections": [record | {"rows": {"relabel": 9, "marked": 2, "unsure": 1}}]})
    changes = "labels changed: gender 1,200; images left out: 3; reviewed without a decision: 3."
    assert f"Labels were corrected by fixes.csv (BLAKE2b 0123): {changes}\n\n| split" in text
    assert "Labels were corrected" not in card(data=data | {"corrections": []})


@pytest.fixture
def card():
    """Makes the card of a run with changed metrics."""
    settings, heads, preprocessing, metrics = parts(VERSIONS / "v0_1_0" / "one")

    def make(scheme: Scheme | None = None, **changed: object) -> str:
        own_heads = Heads(scheme, heads.heads) if scheme else heads
        return model_card(settings, own_heads, preprocessing, json.loads(json.dumps(metrics)) | changed)

    return make


def test_a_stopped_run_says_so(card):
    assert "Training was stopped before its end" in card(finished=False)
    assert "Training was stopped before its end" not in card()


def test_a_run_without_validation_has_no_scores(card):
    data = read_json_object(VERSIONS / "v0_1_0" / "one" / "metrics.json")["data"]
    assert "Training ended before the first validation, so there are no scores" in card(validation=None)
    text = card(validation=None, data=data | {"validation": None})
    assert "There was no validation, so there are no scores" in text and "| score" not in text and "recall" not in text


def rows(text: str) -> list[list[str]]:
    """Cells of the table of classes."""
    table = text.split("## Classes\n\n")[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").replace("\\|", "/").split("|")] for line in table]


def test_names_are_kept_and_columns_align(card):
    names = ("1e5", "007", "착용샷", "a|b")
    counts = {"pictures": 9, "groups": 9, "class_counts": [1, 22, 333, 4444]}
    scheme = Scheme((Attribute("kind", names),))
    text = card(
        scheme, validation=None, data={"train": counts, "validation": None, "grouped_by": None, "source": "CSV"}
    )
    header, rule, *body = rows(text)
    assert header == ["class", "name", "training images"]
    assert body == [["0", "1e5", "1"], ["1", "007", "22"], ["2", "착용샷", "333"], ["3", "a/b", "4444"]]
    assert [(cell[0], cell[-1]) for cell in rule] == [("-", ":"), (":", "-"), ("-", ":")]
    lines = text.split("## Classes\n\n")[1].split("\n\n")[0].splitlines()
    assert lines[4].endswith(" 333 |") and len(lines[4]) + 3 == len(lines[2])  # a Korean letter takes two columns


def test_an_ensembles_card_names_its_members():
    scheme = Scheme((Attribute("kind", ("a", "b")),))
    text = ensemble_card("both", scheme, COMBINE["vote"], [EnsembleMember("x", 2.0), EnsembleMember("deep/y", 0.5)])
    assert text.startswith("# both\n\nImage classifier for kind: 2 classes. It predicts the weighted share of")
    assert "| [x](x/README.md) | 2 |\n| [deep/y](deep/y/README.md) | 0.5 |\n\n## Use\n" in text


def test_a_decision_is_named_unless_it_is_the_default(card):
    decision = Decision(1.5, (0.0, 0.7))
    sentence = "\n\nThe class is decided by argmax (temperature 1.5, biases 0 0.7).\n\n"
    scheme = Scheme((Attribute("kind", ("a", "b")),))
    members = [EnsembleMember("x", 2.0)]
    both = ensemble_card("both", scheme, COMBINE["soft"], members, decision)
    assert f"probabilities.{sentence}| member" in both
    assert both.replace(sentence, "\n\n") == ensemble_card("both", scheme, COMBINE["soft"], members, Decision())
    settings, heads, preprocessing, metrics = parts(VERSIONS / "v0_1_0" / "one")
    text = model_card(settings, heads, preprocessing, metrics, decision)
    assert f"pixels.{sentence}\n## Scores" in text and text.replace(sentence, "\n\n") == card()


def test_a_bar_in_a_cell_is_escaped():
    assert cell_text("a|b") == "a\\|b"


def test_the_card_has_the_scores_of_each_attribute_and_few_of_many_classes():
    settings, heads, preprocessing, metrics = parts(VERSIONS / "v0_1_0" / "one")
    scores = {"mask": {"f1": 0.5, "accuracy": 0.75}, "a|b": {"f1": 0.25, "accuracy": 1}}
    text = model_card(
        settings, heads, preprocessing, {**metrics, "validation": metrics["validation"] | {"attributes": scores}}
    )
    assert "| mask        |     0.7500 |     0.5000 |\n| a\\|b        |     1.0000 |     0.2500 |" in text
    names, counts = [f"kind{code}" for code in range(1001)], list(range(1001))
    lines = _classes_table(names, counts, None).splitlines()
    assert len(lines) == 2 + 30 + 1 and "kind1000 " in lines[2] and "... and 971 more" in lines[-1]
    assert len(_classes_table(names[1:], counts[1:], None).splitlines()) == 2 + 1000
