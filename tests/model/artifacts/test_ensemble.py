"""Ensembles: how predictions and decisions of members are combined."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.artifacts.combine import create_ensemble
from model.artifacts.decision_file import write_decision
from model.artifacts.ensemble import Ensemble, answering_decision, load, load_combined, make_ensemble, provenance_of
from model.artifacts.saved_model import SavedModel
from model.attributes import Attribute
from model.decisions import Ask, Decision
from model.errors import InputError
from model.labels import Scheme
from model.network.heads import make_heads
from model.prediction.api import predict
from model.settings.train import TrainSettings


def probabilities(model: Path, pictures: list[Path]) -> np.ndarray:
    frame = predict(model, pictures, device="cpu", precision="fp32")
    return frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy()


@pytest.mark.parametrize(("combine", "weights"), [("soft", (1, 1)), ("soft", (3, 1)), ("vote", (3, 1))])
def test_members_of_the_same_classes_are_averaged_or_vote(models, pictures, tmp_path, combine, weights):
    named = [f"{models / name}:{weight}" for name, weight in zip("ab", weights)]
    create_ensemble(named, tmp_path / "both", combine)
    parts = [probabilities(models / name, pictures) for name in "ab"]
    if combine == "vote":
        parts = [np.eye(18)[part.argmax(1)] for part in parts]
    expected = sum(weight * part for weight, part in zip(weights, parts)) / sum(weights)
    np.testing.assert_allclose(probabilities(tmp_path / "both", pictures), expected, atol=1e-6)


def test_members_for_different_attributes_are_multiplied_in_any_order(models, pictures, tmp_path):
    """Reference: the joint probability of independent attributes, class by class."""
    created = create_ensemble([str(models / name) for name in ("age", "mask", "gender")], tmp_path / "three")
    assert created.combine == "product" and created.scheme.names == ("age", "mask", "gender")
    parts = {name: probabilities(models / name, pictures) for name in created.scheme.names}
    found = probabilities(tmp_path / "three", pictures)
    for joint in range(18):
        codes = created.scheme.split(joint)
        expected = np.prod([parts[name][:, codes[name]] for name in codes], axis=0)
        np.testing.assert_allclose(found[:, joint], expected, atol=1e-6)


def test_an_ensemble_may_be_a_member(models, pictures, tmp_path):
    create_ensemble([str(models / name) for name in ("mask", "gender", "age")], tmp_path / "three")
    create_ensemble([str(tmp_path / "three"), f"{models / 'a'}:0.5"], tmp_path / "four")
    three, a = (probabilities(folder, pictures) for folder in (tmp_path / "three", models / "a"))
    np.testing.assert_allclose(probabilities(tmp_path / "four", pictures), (three + a / 2) / 1.5, atol=1e-6)
    assert len(load(tmp_path / "four").models()) == 4


@pytest.fixture
def decided(models, tmp_path):
    """Copies of models by name, each with a decision."""

    def copy(name: str, decision: Decision) -> str:
        folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(models / name, folder)
        write_decision(folder, decision)
        return str(folder)

    return copy


def shift(classes: int, favoured: int, by: float = 0.2) -> Decision:
    """A decision that favours one class of nearly equal ones."""
    return Decision(biases=tuple(by * (code == favoured) for code in range(classes)))


def test_members_vote_by_their_decisions_and_the_most_votes_win(models, pictures, decided, tmp_path):
    """Nested too: a member's own decision decides what the ensemble within votes for."""
    decision = shift(18, 7, 9.0)
    parts = [probabilities(models / name, pictures) for name in "ab"]
    create_ensemble([decided("a", decision), f"{decided('b', Decision())}:2"], tmp_path / "vote", "vote")
    expected = (decision.votes(parts[0]) + 2 * Decision().votes(parts[1])) / 3
    np.testing.assert_allclose(probabilities(tmp_path / "vote", pictures), expected, atol=1e-6)
    assert (expected[:, 7] >= 1 / 3).all() and load(tmp_path / "vote").decision == Decision()

    same = [decided(name, decision) for name in "ab"]
    create_ensemble([*same], tmp_path / "soft")
    create_ensemble([str(tmp_path / "soft"), f"{models / 'b'}:0.5"], tmp_path / "nested", "vote")
    expected = (decision.votes(np.mean(parts, axis=0)) + Decision().votes(parts[1]) / 2) / 1.5
    np.testing.assert_allclose(probabilities(tmp_path / "nested", pictures), expected, atol=1e-6)


def test_equal_decisions_of_the_members_are_that_of_the_ensemble(pictures, decided, tmp_path, caplog):
    decision = shift(18, 7, 9.0)
    members = [decided(name, decision) for name in "ab"]
    assert create_ensemble(members, tmp_path / "both").decision == decision == load(tmp_path / "both").decision
    answers = predict(tmp_path / "both", pictures, device="cpu", precision="fp32")
    assert answers["class"].tolist() == [7] * len(pictures), answers
    assert f"decided by {decision}." in (tmp_path / "both" / "README.md").read_text()
    assert len(list((tmp_path / "both").rglob("decision.json"))) == 3
    assert load_combined([str(tmp_path / "both"), members[0]]).decision == decision
    assert not [message for name, _, message in caplog.record_tuples if name == "rarebird" and "not used" in message]


def test_the_product_decides_each_attribute_as_its_member_does(models, pictures, decided, tmp_path, caplog):
    """Reference: the members' own predictions. The sum of biases is also tested for a nested ensemble."""
    own = {"mask": shift(3, 1), "gender": shift(2, 1), "age": Decision()}
    members = {name: decided(name, decision) for name, decision in own.items()}
    alone = {name: predict(folder, pictures, device="cpu")["class"].tolist() for name, folder in members.items()}
    create_ensemble([members["gender"], members["mask"]], tmp_path / "two")
    create_ensemble([members["age"], str(tmp_path / "two")], tmp_path / "three")
    for folder in ("two", "three"):
        ensemble = load(tmp_path / folder)
        codes = ensemble.scheme.split(predict(tmp_path / folder, pictures, device="cpu")["class"].to_numpy(int))
        assert {name: code.tolist() for name, code in codes.items()} == {name: alone[name] for name in codes}
    assert load(tmp_path / "two").decision.biases == (0.0, 0.2, 0.0, 0.2, 0.4, 0.2)
    plain = load_combined([str(models / "gender"), str(models / "mask")])
    assert plain.decision == Decision() and "not used" not in caplog.text


@pytest.mark.parametrize(
    ("decisions", "unused"),
    [
        ({"a": shift(18, 3), "b": Decision()}, ["a"]),
        ({"a": shift(18, 3), "b": shift(18, 4)}, ["a", "b"]),
        ({"gender": Decision(2.0, (0.0, 1.0)), "mask": shift(3, 1)}, ["gender", "mask"]),
    ],
)
def test_different_decisions_are_not_used_and_one_warning_says_so(decisions, unused, decided, caplog):
    members = {name: decided(name, decision) for name, decision in decisions.items()}
    ensemble = load_combined(list(members.values()))
    assert ensemble.decision == Decision()
    (message,) = [record.message for record in caplog.records if "not used" in record.message]
    assert message.split(": ")[-1].split(", ") == [members[name] for name in unused]


def test_a_decision_is_not_applied_again_to_shares_of_votes(models, decided):
    decision = shift(18, 7, 9.0)
    members = [decided(name, decision) for name in "ab"]
    soft, vote = load_combined(members), load_combined(members, "vote")
    assert [answering_decision(model, False) for model in (soft, *soft.members)] == [decision] * 3
    assert [answering_decision(model, True) for model in (soft, *soft.members)] == [Decision()] * 3
    # the decision of an ensemble whose members have none has not been applied yet
    own = replace(load_combined([str(models / name) for name in "ab"]), decision=decision)
    assert answering_decision(own, True) == decision
    for combine, answers in (("soft", decision), ("vote", Decision())):  # nor where that ensemble is a member
        nested = Ensemble(own.folder, (own, own), (1.0, 1.0), combine, own.scheme, answers)
        assert nested.decision == nested.members_decision() and answering_decision(nested, True) == answers
    applied = Ensemble(soft.folder, (soft, *soft.members), (1.0,) * 3, "soft", soft.scheme, decision)
    assert answering_decision(applied, True) == Decision()
    shares = np.eye(18, dtype=np.float32)[[0]] * 0.6 + np.eye(18, dtype=np.float32)[[7]] * 0.4
    for views_vote, voted in ((True, 0), (False, 7)):
        combined = vote.combine_probabilities(iter([shares, shares]), views_vote)
        np.testing.assert_array_equal(combined, np.eye(18)[[voted]])


def test_a_damaged_decision_of_an_ensemble_is_reported(models, tmp_path):
    create_ensemble([str(models / name) for name in "ab"], tmp_path / "both")
    (tmp_path / "both" / "decision.json").write_text('{"rule": "argmax", "biases": [1]}')
    with pytest.raises(InputError, match=r"both: decision\.json: biases: expected 18"):
        load(tmp_path / "both")
    (tmp_path / "both" / "decision.json").unlink()  # as of an earlier version
    ensemble = load(tmp_path / "both")
    assert isinstance(ensemble, Ensemble) and ensemble.decision == Decision()


@pytest.mark.parametrize("place", ["../a", "/tmp", "."])
def test_a_member_outside_is_refused(models, tmp_path, place):
    (tmp_path / "ensemble.json").write_text(json.dumps({"combine": "soft", "members": [{"model": place}]}))
    with pytest.raises(InputError, match="is not in a subfolder"):
        load(tmp_path)


def test_models_named_at_inference_predict_as_their_ensemble(models, faces, tmp_path):
    import inference

    create_ensemble([str(models / "a"), f"{models / 'b'}:2"], tmp_path / "both")
    asked = ["--eval_dir", str(faces / "eval"), "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
    one = [*asked, "--models", str(models / "a"), f"{models / 'b'}:2", "--output_data_dir", str(tmp_path / "one")]
    other = [*asked, "--model_dir", str(tmp_path / "both"), "--output_data_dir", str(tmp_path / "other")]
    assert inference.main(one) == inference.main(other) == 0
    for name in ("output.csv", "probabilities.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    labels = [json.loads((tmp_path / name / "labels.json").read_text()) for name in ("one", "other")]
    assert [of["made"].pop("model") for of in labels] == ["a + b", "both"] and labels[0] == labels[1]


def test_joined_needs_models():
    with pytest.raises(InputError):
        load_combined([])


def test_the_provenance_of_an_ensemble_is_that_of_its_members(models, tmp_path):
    names = ["mask", "gender", "age"]
    provenance = provenance_of(create_ensemble([str(models / name) for name in names], tmp_path / "three"), 4)
    assert (provenance.model, provenance.views) == ("three", 4)
    assert [member.name for member in provenance.members] == names
    assert "product of the members' probabilities" in provenance.joined
    assert [member.settings["target"] for member in provenance.members] == names
    create_ensemble([str(tmp_path / "three"), str(models / "a")], tmp_path / "four")
    below = [member.name for member in provenance_of(load(tmp_path / "four"), 1).members]
    assert below == ["three/mask", "three/gender", "three/age", "a"]
    assert provenance_of(load_combined([str(models / "a"), str(models / "b")]), 1).model == "a + b"
    assert provenance_of(load(models / "a"), 1).joined == ""


def test_the_product_of_a_hierarchy_has_the_combinations_of_the_members_channel():
    """By hand: of p(a) = 0.75, 0.25, 0, ... and p(b) = 0.5, 0.25, 0.25, 0, ... the classes v0/v0, v0/v2 and v1/v1."""
    values = tuple(f"v{code}" for code in range(40))
    channel = Scheme((Attribute("a", values), Attribute("b", values)))
    channel = channel.occurring({"a": np.array([0, 1, 0]), "b": np.array([0, 1, 2])})
    parts = {"a": np.zeros((1, 40), np.float32), "b": np.zeros((1, 40), np.float32)}
    parts["a"][0, :2], parts["b"][0, :3] = (0.75, 0.25), (0.5, 0.25, 0.25)

    def member(name: str, of: Scheme | None) -> SavedModel:
        heads = make_heads(channel.only(name), name, lambda head, classes: classes, channel=of)
        return SavedModel(Path(name), TrainSettings(), heads, None, {}, Decision())

    ensemble = make_ensemble(Path("ab"), [member("a", channel), member("b", channel)], [1, 1], "product")
    assert ensemble.scheme == channel
    found = ensemble.combine_probabilities(iter(parts.values()))
    np.testing.assert_allclose(found, [[0.375 / 0.625, 0.1875 / 0.625, 0.0625 / 0.625]], rtol=1e-6)
    nothing = ensemble.combine_probabilities(iter(np.zeros((2, 1, 40), np.float32)))
    np.testing.assert_allclose(nothing, 1 / 3, rtol=1e-6)
    assert (
        make_ensemble(Path("ab"), [member("a", None), member("b", None)], [1, 1], "product").scheme.num_classes == 1600
    )


def test_what_several_members_promise_is_not_used_and_one_member_keeps_it(decided, caplog):
    ask = Ask(thresholds=(0.5,) * 18, promise=0.1)
    members = [decided(name, ask) for name in "ab"]
    assert load_combined(members).decision == Decision() and "not used" in caplog.text
    single = load_combined(members[:1])
    assert single.decision == ask
    for model in (single, single.members[0]):
        assert answering_decision(model, views_vote=False) == ask
        assert answering_decision(model, views_vote=True) == ask.without_promise()


def test_an_ensemble_that_asks_asks_about_all_images_if_views_vote(models, decided):
    members = [load(Path(decided(name, Decision()))) for name in "ab"]
    ask = Ask(1.0, shift(18, 3).biases, (0.5,) * 18, 0.1)
    ensemble = make_ensemble(Path("both"), members, [1, 1], "soft", ask)
    assert answering_decision(ensemble, views_vote=False) == ask
    assert answering_decision(ensemble, views_vote=True) == replace(ask, thresholds=(1.0,) * 18)
