"""Probabilities of earlier inferences are averaged by name."""

import numpy as np
import pandas as pd
import pytest

from model.__main__ import SUBCOMMANDS
from model.subcommands import run_subcommand


def write(path, names, rows, columns=("worn", "none", "착용샷"), name="ImageID"):
    frame = pd.DataFrame(rows, columns=list(columns))
    frame.insert(0, name, names)
    path.parent.mkdir(exist_ok=True)
    frame.to_csv(path, index=False)
    return str(path)


def join(*words: str) -> int:
    return run_subcommand("model", SUBCOMMANDS, ["join", *words])


def test_rows_are_joined_by_name_and_columns_by_class(tmp_path):
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(3), 5)
    names, order = [f"{i}.jpg" for i in range(5)], [3, 0, 4, 2, 1]
    first = write(tmp_path / "a.csv", names, p)
    second = write(
        tmp_path / "b.csv", [names[i] for i in order], q[order][:, [2, 0, 1]], columns=("착용샷", "worn", "none")
    )
    out = tmp_path / "joined.csv"
    assert join(first, f"{second}:3", "--output", str(out)) == 0
    expected = (p + 3 * q) / 4
    result = pd.read_csv(tmp_path / "joined.probabilities.csv")
    assert result.columns.tolist() == ["ImageID", "worn", "none", "착용샷"] and result["ImageID"].tolist() == names
    np.testing.assert_allclose(result.iloc[:, 1:], expected, atol=1e-6)
    assert pd.read_csv(out)["ans"].tolist() == expected.argmax(1).tolist()
    assert "착용샷" in (tmp_path / "labels.json").read_text(encoding="utf-8")


def test_an_image_without_probabilities_in_one_file_has_the_mean_of_the_others(tmp_path):
    nothing = [None] * 3
    first = write(tmp_path / "a.csv", ["x", "y"], [nothing, nothing], name="image_name")
    second = write(tmp_path / "b.csv", ["x", "y"], [[0.1, 0.7, 0.2], nothing], name="image_name")
    assert join(first, second, "--output", str(tmp_path / "o.csv")) == 0
    answers = pd.read_csv(tmp_path / "o.csv", dtype=str, keep_default_na=False)
    assert answers.columns.tolist() == ["image_name", "y_pred"] and answers["y_pred"].tolist() == ["1", ""]
    assert "y" in (tmp_path / "o.errors.csv").read_text()


def test_all_differences_are_reported_at_once(tmp_path, capsys):
    first = write(tmp_path / "a.csv", ["x", "y"], [[0.1, 0.7, 0.2]] * 2)
    second = write(tmp_path / "b.csv", ["x", "z"], [[0.1, 0.7, 0.2]] * 2, columns=("worn", "none", "other"))
    assert join(first, second, "--output", str(tmp_path / "o.csv")) == 2
    message = capsys.readouterr().err
    assert "other" in message and "착용샷" in message and "y is in" in message and "z is in" in message
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize("words", [["a.csv"], ["a.csv:0", "a.csv:0"], ["a.csv", "a.csv:-1"], ["a.csv", "none.csv"]])
def test_bad_words_end_with_2(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", ["x"], [[0.1, 0.7, 0.2]])
    assert join(*words, "--output", "o.csv") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_column_of_another_name_is_set_or_remembered(tmp_path, capsys):
    first = write(tmp_path / "a.csv", ["x"], [[0.1, 0.7, 0.2]], name="file")
    out = str(tmp_path / "o.csv")
    assert join(first, first, "--output", out) == 2
    assert (
        "found file, worn, none, 착용샷; nearest: file; set the column with --picture_column" in capsys.readouterr().err
    )
    assert join(first, first, "--output", out, "--picture_column", "file") == 0
    joined = str(tmp_path / "o.probabilities.csv")
    assert join(joined, joined, "--output", str(tmp_path / "p.csv")) == 0
    assert pd.read_csv(tmp_path / "p.csv").columns.tolist() == ["file", "ans"]
    assert join(joined, joined, "--output", out, "--picture_column", "fiel") == 2
    assert "nearest: file" in capsys.readouterr().err
