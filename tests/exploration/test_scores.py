import json

from exploration.__main__ import main

SCORE = {"value": 0.5, "low": 0.4, "high": 0.6}


def evaluation(**f1: tuple[float, int]) -> dict:
    per_class = {name: {"f1": {**SCORE, "value": value}, "support": support} for name, (value, support) in f1.items()}
    scores = {
        "pictures": 1234,
        "resampled_over": "person",
        "accuracy": SCORE,
        "macro_f1": SCORE,
        "per_class": per_class,
    }
    return {"rarebird": scores}


def test_the_weakest_classes_with_images_are_shown(tmp_path, capsys):
    path = tmp_path / "evaluation.json"
    content = evaluation(good=(0.9, 9), 착용샷=(0.1, 4), poor=(0.2, 5), fair=(0.3, 6), none=(0.0, 0))
    path.write_text(json.dumps(content))
    assert main(["scores", "--evaluation", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1,234 images" in lines[0] and "interval over groups of column person" in lines[0]
    assert lines[3].split() == ["macro", "F1", "0.5000", "0.4000", "to", "0.6000"]
    assert [line.split()[2] for line in lines[4:]] == ["착용샷", "poor", "fair"]


def test_a_file_that_is_not_an_evaluation_is_reported(tmp_path, capsys):
    for name, content in (("gone.json", None), ("list.json", "[]"), ("other.json", '{"a": 1}')):
        if content:
            (tmp_path / name).write_text(content)
        assert main(["scores", "--evaluation", str(tmp_path / name)]) == 2
        assert name in capsys.readouterr().err


def test_the_file_can_be_set_without_a_flag_or_by_its_folder(tmp_path, capsys):
    content = evaluation(good=(0.9, 9))
    content["rarebird"]["resampled_over"] = "picture"
    (tmp_path / "evaluation.json").write_text(json.dumps(content))
    for words in ([str(tmp_path)], [str(tmp_path / "evaluation.json")], ["--evaluation", str(tmp_path)]):
        assert main(["scores", *words]) == 0
        assert "interval over single images" in capsys.readouterr().out
    (tmp_path / "evaluation.json").unlink()
    assert main(["scores", str(tmp_path)]) == 2
    assert f"{tmp_path}/evaluation.json: no such file" in capsys.readouterr().err
