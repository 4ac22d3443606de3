import json

from model.evaluation.score_files import scores_among, scores_of_training

ACCURACY = {"value": 0.5, "low": 0.25, "high": 0.75}


def test_scores_are_the_entries_with_a_value():
    details = {"pictures": 9, "accuracy": ACCURACY, "per_class": {"cat": {}}, "compare": None, "notes": []}
    assert scores_among(details) == {"accuracy": ACCURACY}


def test_a_report_has_the_scores_and_without_one_metrics_json_by_the_same_names(tmp_path):
    validation = {"f1": 0.4, "acc": 0.5, "loss": 1.0, "intervals": {"acc": [0.25, 0.75]}}
    (tmp_path / "metrics.json").write_text(json.dumps({"validation": validation}))
    assert scores_of_training(tmp_path, None) == {
        "accuracy": ACCURACY,
        "macro_f1": {"value": 0.4, "low": None, "high": None},
    }
    (tmp_path / "evaluation.json").write_text(json.dumps({"rarebird": {"balanced_accuracy": ACCURACY}}))
    assert scores_of_training(tmp_path, tmp_path / "report.html") == {"balanced_accuracy": ACCURACY}


def test_an_ensemble_and_a_run_without_validation_have_none(tmp_path):
    assert scores_of_training(None, None) == scores_of_training(tmp_path, None) == {}
    (tmp_path / "metrics.json").write_text(json.dumps({"validation": None}))
    assert scores_of_training(tmp_path, None) == {}
