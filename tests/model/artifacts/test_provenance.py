import json

import pytest

from model.artifacts.provenance import FILES, FOLDERS, MemberProvenance, Provenance, portable_settings
from model.errors import InputError
from model.settings.fields import as_dict
from model.settings.train import TrainSettings

METRICS = {
    "finished": True,
    "epoch": 3,
    "epochs": 4,
    "validation": {"loss": 0.5, "f1": 0.6, "acc": 0.7, "gmean": 0.4, "per_class": {"f1": [0.5, 0.7]}},
    "history": [{"epoch": 1, "train_loss": 0.12345678, "val_f1": 0.5, "lr": 0.1, "pictures_per_second": 9.0}],
    "data": {
        "source": "CSV train.csv",
        "grouped_by": "sender",
        "train": {"pictures": 80, "groups": 8, "class_counts": [50, 30]},
        "validation": {"pictures": 20, "groups": 2, "class_counts": [10, 10]},
        "split": None,
    },
    "seconds": 12.5,
    "hardware": "CPU, 2 threads, fp32",
    "versions": {"torch": "2.14.1"},
}


def provenance(settings: TrainSettings, **metrics: object) -> Provenance:
    return Provenance("exp", 4, "", (MemberProvenance.of_run("exp", settings, {**METRICS, **metrics}),))


def test_it_is_the_same_after_json():
    before = provenance(TrainSettings(name="exp", sampler="none", input_size=[128, 96], augmentation={"flip": {}}))
    assert Provenance.from_dict(json.loads(json.dumps(before.to_dict()))) == before
    assert before.members[0].settings == {"sampler": "none", "input_size": [128, 96], "augmentation": {"flip": {}}}
    assert before.members[0].scores == {"acc": 0.7, "f1": 0.6, "gmean": 0.4, "loss": 0.5}


def test_the_history_has_scores_and_losses_alone_and_none_in_earlier_versions():
    saved = json.loads(json.dumps(provenance(TrainSettings()).to_dict()))
    assert saved["members"][0]["history"] == [{"epoch": 1.0, "train_loss": 0.123457, "val_f1": 0.5}]
    saved["members"][0].pop("history")
    assert Provenance.from_dict(saved).members[0].history == ()


def test_paths_of_the_machine_that_trained_are_removed():
    settings = TrainSettings(train_dir="/home/x/data", model_dir="/home/x", weights="/home/x/w.pth")
    text = json.dumps(provenance(settings).to_dict())
    assert "/home" not in text and '"weights": "w.pth"' in text


def test_saved_settings_have_no_absolute_path_but_that_of_eval_dir():
    paths = {name: f"/home/x/{name}" for name in (*FOLDERS, *FILES, "eval_dir")}
    settings = TrainSettings(
        **paths, group_pattern="/(\\d+)/", separate={"age": {"weights": "/home/x/age.pth", "lr": 0.1}}
    )
    saved = portable_settings(settings)
    assert saved.keys() == as_dict(settings).keys()
    assert {saved[name] for name in FOLDERS} == {None} and all(saved[name] == name for name in FILES)
    assert saved["separate"] == {"age": {"weights": "age.pth", "lr": 0.1}} and saved["group_pattern"] == "/(\\d+)/"
    assert [name for name, value in saved.items() if "/home" in str(value)] == ["eval_dir"]


def test_relative_paths_are_saved_as_they_are():
    settings = TrainSettings(train_dir="data/train", weights="weights/a.pth", train_groups="lists/a.txt")
    assert portable_settings(settings) == as_dict(settings)


def test_a_run_without_validation_has_no_scores():
    member = provenance(TrainSettings(), validation=None, data={**METRICS["data"], "validation": None}).members[0]
    assert member.validation is None and member.scores == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda saved: saved.pop("views"),
        lambda saved: saved.update(members=None),
        lambda saved: saved["members"][0].pop("train"),
        lambda saved: saved["members"][0].update(epochs="many"),
        lambda saved: saved["members"][0].update(versions=["torch"]),
        lambda saved: saved["members"].append("exp"),
    ],
)
def test_an_invalid_record_is_refused(spoil):
    saved = json.loads(json.dumps(provenance(TrainSettings()).to_dict()))
    spoil(saved)
    with pytest.raises(InputError, match="not a valid training record"):
        Provenance.from_dict(saved)
