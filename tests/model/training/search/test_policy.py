"""The policy file and the texts of a search."""

import pytest
import yaml

from model.metrics.bootstrap import Interval
from model.settings.policy_file import read_policy
from model.training.search.policy import Result
from model.training.search.trials import Trial

POLICIES = {"current": {"flip": {}}, "crop": {"flip": {}, "random_resized_crop": {"scale": [0.5, 1.0]}}}


def result(gain: Interval | None, best: str = "crop") -> Result:
    trials = [Trial("current", 0, 1, 0.51234, 1.26), Trial("crop", 0, 1, 0.6, 1.0), Trial("crop", 1, 1, 0.4, 1.0)]
    ranking = [best, *(name for name in POLICIES if name != best)]
    return Result("f1", POLICIES, trials, ranking, gain, 100, {"seed": 3})


@pytest.mark.parametrize(
    ("gain", "recommended", "words"),
    [
        (Interval(0.1, 0.05, 0.15), True, "crop: +0.1000 on 100 images of other groups, 95 % interval +0.0500 to"),
        (Interval(0.1, -0.01, 0.2), False, "not recommended, keep the current augmentation"),
        (Interval(0.1), False, "no interval (too few groups)"),
        (None, False, "was not compared on other images: not recommended"),
    ],
)
def test_only_an_interval_above_zero_is_recommended(tmp_path, gain, recommended, words):
    found = result(gain)
    assert found.is_recommended is recommended and words in found.verdict and found.verdict in found.text()
    found.write(tmp_path / "policy.yaml")
    content = yaml.safe_load((tmp_path / "policy.yaml").read_text())
    assert content["search"]["recommended"] is recommended and content["search"]["seed"] == 3
    assert read_policy(tmp_path / "policy.yaml") == POLICIES["crop"] == content["augmentation"]
    assert content["search"]["trials"][0] == {
        "candidate": "current",
        "fold": 1,
        "epochs": 1,
        "score": 0.5123,
        "seconds": 1.3,
    }
    assert len(content["search"]["trials"]) == 3 and content["search"]["candidates"] == POLICIES


def test_the_table_has_the_current_augmentation_and_the_difference_to_it():
    rows = [line.split() for line in result(None).text().splitlines()[2:4]]
    assert rows == [["crop", "1", "0.6000", "+0.0877", "1"], ["current", "1", "0.5123", "+0.0000", "1"]]


def test_without_a_better_candidate_the_current_one_is_kept():
    assert result(None, "current").verdict == "no candidate was better than the current augmentation: keep it"
    assert Result("f1", POLICIES).best == "current"
