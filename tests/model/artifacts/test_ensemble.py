"""Several models answer as one."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.artifacts.combine import create_ensemble
from model.artifacts.ensemble import load, load_combined, provenance_of
from model.errors import InputError
from model.prediction.api import predict


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


def test_members_of_other_attributes_are_multiplied_in_any_order(models, pictures, tmp_path):
    """Reference: the joint probability of independent attributes, class by class."""
    made = create_ensemble([str(models / name) for name in ("age", "mask", "gender")], tmp_path / "three")
    assert made.combine == "product" and made.scheme.names == ("age", "mask", "gender")
    parts = {name: probabilities(models / name, pictures) for name in made.scheme.names}
    found = probabilities(tmp_path / "three", pictures)
    for joint in range(18):
        codes = made.scheme.split(joint)
        expected = np.prod([parts[name][:, codes[name]] for name in codes], axis=0)
        np.testing.assert_allclose(found[:, joint], expected, atol=1e-6)


def test_an_ensemble_may_be_a_member(models, pictures, tmp_path):
    create_ensemble([str(models / name) for name in ("mask", "gender", "age")], tmp_path / "three")
    create_ensemble([str(tmp_path / "three"), f"{models / 'a'}:0.5"], tmp_path / "four")
    three, a = (probabilities(folder, pictures) for folder in (tmp_path / "three", models / "a"))
    np.testing.assert_allclose(probabilities(tmp_path / "four", pictures), (three + a / 2) / 1.5, atol=1e-6)
    assert len(load(tmp_path / "four").models()) == 4


@pytest.mark.parametrize("place", ["../a", "/tmp", "."])
def test_a_member_outside_is_refused(models, tmp_path, place):
    (tmp_path / "ensemble.json").write_text(json.dumps({"combine": "soft", "members": [{"model": place}]}))
    with pytest.raises(InputError, match="does not lie below"):
        load(tmp_path)


def test_models_named_at_inference_answer_as_the_ensemble_of_them(models, faces, tmp_path):
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


def test_how_an_ensemble_was_made_is_told_by_its_members(models, tmp_path):
    made = provenance_of(
        create_ensemble([str(models / name) for name in ("mask", "gender", "age")], tmp_path / "three"), 4
    )
    assert (made.model, made.views, [member.name for member in made.members]) == ("three", 4, ["mask", "gender", "age"])
    assert "product of its members' probabilities" in made.joined
    assert [member.settings["target"] for member in made.members] == ["mask", "gender", "age"]
    create_ensemble([str(tmp_path / "three"), str(models / "a")], tmp_path / "four")
    below = [member.name for member in provenance_of(load(tmp_path / "four"), 1).members]
    assert below == ["three/mask", "three/gender", "three/age", "a"]
    assert provenance_of(load_combined([str(models / "a"), str(models / "b")]), 1).model == "a + b"
    assert provenance_of(load(models / "a"), 1).joined == ""
