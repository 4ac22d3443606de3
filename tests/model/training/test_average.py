"""`python -m model average`: the mean of weights, new batch-norm statistics, and models that do not fit together."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from model.artifacts.fingerprint import file_digest
from model.artifacts.learnt_from import read_learnt_from
from model.artifacts.saved_decision import save_decision
from model.artifacts.saved_model import load_model
from model.decisions import Ask
from model.errors import InputError
from model.training.average import average_models, main


@pytest.fixture(scope="module")
def siblings(faces, tmp_path_factory):
    """Three models of one architecture: `a` and `b` start from the weights of `start`. `vit` and `vit2` have no batch
    norm."""
    import train

    folder = tmp_path_factory.mktemp("siblings")
    small = ["--pretrained", "false", "--device", "cpu", "--precision", "fp32", "--report", "false", "--tracking"]
    small += ["none", "--num_workers", "0", "--batch_size", "32", "--train_dir", str(faces / "train")]
    size = ["--input_size", "32", "24"]
    for name, *flags in (
        ("start", "--model", "test_resnet", "--epochs", "0", *size),
        ("a", "--model", "test_resnet", "--epochs", "1", "--weights", str(folder / "start"), "--seed", "1", *size),
        ("b", "--model", "test_resnet", "--epochs", "1", "--weights", str(folder / "start"), "--seed", "2", *size),
        ("vit", "--model", "test_vit", "--epochs", "0"),
        ("vit2", "--model", "test_vit", "--epochs", "0", "--seed", "1"),
    ):
        assert train.main([*small, "--model_dir", str(folder), "--name", name, *flags]) == 0
    return folder


def test_the_weights_are_the_mean_and_the_statistics_those_of_the_training_images(siblings, faces, tmp_path):
    output = tmp_path / "mean"
    record = average_models(
        [str(siblings / "a"), str(siblings / "b")], output, faces / "train", batch_size=50, device="cpu", num_workers=0
    )
    a, b, mean = (load_file(folder / "model.safetensors") for folder in (siblings / "a", siblings / "b", output))
    renewed = {name for name in mean if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert renewed and len(mean) > len(renewed)
    for name in mean.keys() - renewed:
        np.testing.assert_allclose(mean[name], (a[name].astype(np.float64) + b[name]) / 2, rtol=1e-6, atol=1e-8)

    # every training image of either model, in batches of at least 50; a and b have different splits by their seeds
    known = np.union1d(*(read_learnt_from(siblings / name).train for name in "ab"))
    assert record["renewed_on"] == len(known) and read_learnt_from(output).train.tolist() == known.tolist()
    assert len(known) > len(read_learnt_from(siblings / "a").train)
    assert not set(read_learnt_from(output).validation) & set(known)
    counts = {int(mean[name]) for name in mean if name.endswith("num_batches_tracked")}
    assert counts == {len(known) // 50}


def test_the_promise_of_the_members_does_not_hold_for_their_mean(siblings, tmp_path):
    decision, members = Ask(thresholds=(0.5,) * 18, promise=0.1), []
    for name in ("vit", "vit2"):
        members.append(str(shutil.copytree(siblings / name, tmp_path / name)))
        save_decision(load_model(tmp_path / name), decision)
    assert main([*members, "--output", str(tmp_path / "mean"), "--device", "cpu"]) == 0
    assert load_model(tmp_path / "mean").decision == decision.without_promise()


def test_without_batch_norm_no_channel_is_needed(siblings, tmp_path, caplog, capsys):
    words = [str(siblings / "vit"), str(siblings / "vit2"), "--output", str(tmp_path / "mean")]
    assert main([*words, "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"mean of 2 models: {tmp_path / 'mean'}\n"
    assert "the models started from different weights" in caplog.text
    weights = [load_file(folder / "model.safetensors") for folder in (siblings / "vit", siblings / "vit2")]
    mean = load_file(tmp_path / "mean" / "model.safetensors")
    for name, value in mean.items():
        np.testing.assert_allclose(value, np.mean([own[name] for own in weights], axis=0), rtol=1e-5, atol=1e-7)


def test_statistics_that_training_did_not_change_stay_and_no_channel_is_needed(faces, run_train, tmp_path):
    """Epochs of a classifier that was trained on features, which the frozen backbone makes with its own statistics.
    Settings that only change the training may differ."""
    frozen = ("--freeze", "backbone", "--feature_views", "1", "--epochs", "2", "--keep_epochs", "2", "--lr", "0.1")
    run = run_train(faces / "train", *frozen)
    start = ("--classifier_init", "class_means", "--classifier_scale", "4", "--freeze_norm", "true")
    other = run_train(faces / "train", "--freeze", "backbone", *start, "--weights", str(run), name="other")
    paths = [*sorted((run / "epochs").glob("*.safetensors")), other]
    assert average_models([str(path) for path in paths], tmp_path / "mean", device="cpu")["renewed_on"] is None
    members = [load_file(path / "model.safetensors" if path.is_dir() else path) for path in paths]
    mean = load_file(tmp_path / "mean" / "model.safetensors")
    for name, value in mean.items():
        np.testing.assert_allclose(value, np.mean([own[name] for own in members], axis=0), rtol=1e-5, atol=1e-6)
    assert any(not np.array_equal(members[0][name], members[1][name]) for name in mean if name.startswith("heads"))
    trained = run_train(faces / "train", "--weights", str(run), name="trained")
    with pytest.raises(InputError, match="has batch norm, whose statistics must be computed anew"):
        average_models([str(other), str(trained)], tmp_path / "mean2", device="cpu")


def test_of_equal_models_the_mean_is_the_model(siblings, faces, tmp_path, caplog):
    """With weights that are equal, and without augmentation, only the statistics can change the answers."""
    average_models([str(siblings / "vit")] * 3, tmp_path / "mean", device="cpu")
    assert "different weights" not in caplog.text
    one, mean = (load_file(folder / "model.safetensors") for folder in (siblings / "vit", tmp_path / "mean"))
    assert all(np.array_equal(one[name], mean[name]) for name in one)


def test_the_result_is_a_saved_model_with_the_provenance_of_its_members(siblings, faces, tmp_path):
    """It answers in inference, in an ensemble and in Python, and is scored like any other model."""
    import inference
    from model.artifacts.combine import create_ensemble
    from model.artifacts.verify import verify
    from model.prediction import predict

    output = tmp_path / "mean"
    average_models([str(siblings / "a"), str(siblings / "b")], output, faces / "train", device="cpu", num_workers=0)
    record = json.loads((output / "metrics.json").read_text())["average"]
    assert [own["model"] for own in record["members"]] == ["a", "b"]
    assert [own["seed"] for own in record["members"]] == [1, 2]
    assert record["members"][0]["weights"] == file_digest(siblings / "a" / "model.safetensors")
    card = (output / "README.md").read_text()
    assert "the mean of those of 2 models: a (run a, epoch 1), b (run b, epoch 1)" in card
    assert "have not been validated" in card and "There was no validation" not in card
    assert load_model(output).settings.name == "mean" and verify(output).finished

    create_ensemble([str(output), str(siblings / "a")], tmp_path / "both")
    flags = ["--eval_dir", str(faces / "eval"), "--device", "cpu", "--precision", "fp32", "--num_workers", "0"]
    assert inference.main([*flags, "--model_dir", str(output), "--output_data_dir", str(tmp_path / "answers")]) == 0
    pictures = sorted((faces / "eval" / "images").iterdir())[:5]
    apart = [predict(model, pictures, device="cpu", precision="fp32") for model in (output, siblings / "a")]
    both = predict(tmp_path / "both", pictures, device="cpu", precision="fp32")
    names = load_model(output).scheme.class_names
    np.testing.assert_allclose(both[names], np.mean([own[names] for own in apart], axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("names", "messages"),
    [
        (("a", "vit"), ["model: ", "test_resnet", "test_vit", "different weights than", "is missing"]),
        (("a", "other"), ["different labels (labels.json)", "heads", "different preprocessing", "height", "32"]),
        (("a", "none"), ["there is no such model"]),
        (("a", "ensemble"), ["is an ensemble; name the models to average"]),
        (("a", "b"), ["has batch norm", "--train_dir CHANNEL"]),
    ],
)
def test_what_differs_is_listed_and_nothing_is_created(siblings, faces, tmp_path, names, messages):
    from model.artifacts.combine import create_ensemble

    create_ensemble([str(siblings / "a"), str(siblings / "b")], tmp_path / "ensemble")
    other = shutil.copytree(siblings / "a", tmp_path / "other")
    labels = json.loads((other / "labels.json").read_text())
    labels["heads"][0]["name"] = "other"
    (other / "labels.json").write_text(json.dumps(labels))
    preprocessing = json.loads((other / "preprocessing.json").read_text())
    (other / "preprocessing.json").write_text(json.dumps({**preprocessing, "height": 40}))
    paths = [str((tmp_path if (tmp_path / name).exists() else siblings) / name) for name in names]
    with pytest.raises(InputError) as error:
        average_models(paths, tmp_path / "out", device="cpu")
    assert [message for message in messages if message not in str(error.value)] == []
    assert not list(tmp_path.glob("*out*"))


def test_a_channel_of_other_images_is_refused(siblings, faces, tmp_path):
    shutil.copytree(faces / "train", tmp_path / "train")
    pictures = [path for path in (tmp_path / "train" / "images").rglob("*") if path.is_file()]
    for path in pictures:
        path.write_bytes(path.read_bytes() + b"changed")
    with pytest.raises(InputError, match="none of its 168 images was used to train"):
        average_models([str(siblings / "a"), str(siblings / "b")], tmp_path / "out", tmp_path / "train", device="cpu")
    assert not list(tmp_path.glob("*out*"))


def test_different_tensors_of_equal_settings_are_listed(siblings, tmp_path):
    cut = shutil.copytree(siblings / "vit", tmp_path / "cut")
    weights = load_file(cut / "model.safetensors")
    name = next(name for name in weights if weights[name].ndim == 2)
    weights[name] = weights[name][1:]
    save_file(weights, cut / "model.safetensors")
    with pytest.raises(InputError, match=f"{name} has shape"):
        average_models([str(siblings / "vit"), str(cut)], tmp_path / "out", device="cpu")
