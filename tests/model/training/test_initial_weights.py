import logging

import pytest
import timm
import torch
from safetensors.torch import save_file

from model.errors import InputError
from model.labels import mask_scheme
from model.network.backbone import make_preprocessing
from model.network.heads import make_heads
from model.network.network import Network
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.initial_weights import load_weights, make_network

HEADS = make_heads(mask_scheme(), "heads", lambda head, classes: classes)


def network(**values: object) -> Network:
    small = {"model": "resnet10t", "pretrained": False, "input_size": [32, 24]}
    settings = build(TrainSettings, [Layer("--{}", {**small, **values})])
    return make_network(settings, HEADS, make_preprocessing(settings))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_timm_file_fills_the_backbone_and_its_classifier_is_left_out_and_logged(tmp_path, caplog, suffix):
    reference = timm.create_model("resnet10t", pretrained=False, num_classes=7)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{name}": value for name, value in reference.state_dict().items()}}, path)
    else:
        save_file(reference.state_dict(), path)
    with caplog.at_level(logging.INFO, "rarebird"):
        loaded = network(weights=str(path))
    assert torch.equal(loaded.backbone.state_dict()["conv1.0.weight"], reference.state_dict()["conv1.0.weight"])
    assert "classifier is left out" in caplog.text and "fc.weight [7, 512]" in caplog.text


def test_a_saved_models_own_heads_are_kept_where_they_fit(tmp_path):
    before = network()
    save_file(before.state_dict(), tmp_path / "model.safetensors")
    after = network(weights=str(tmp_path))
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    wider = network(weights=str(tmp_path), hidden_layers=[8])
    assert torch.equal(wider.state_dict()["backbone.conv1.0.weight"], before.state_dict()["backbone.conv1.0.weight"])


def test_any_other_mismatch_lists_the_keys_and_changes_nothing(tmp_path):
    reference = timm.create_model("resnet10t", pretrained=False, num_classes=7).state_dict()
    reference["conv1.0.weight"] = torch.zeros(1, 3, 3, 3)
    reference["extra.weight"] = reference.pop("conv1.3.weight")
    save_file(reference, tmp_path / "w.safetensors")
    untouched = network()
    before = {name: value.clone() for name, value in untouched.state_dict().items()}
    with pytest.raises(InputError) as error:
        load_weights(untouched, tmp_path / "w.safetensors")
    text = str(error.value)
    assert "missing in the file (1): backbone.conv1.3.weight" in text
    assert "unknown to the network (1): backbone.extra.weight" in text
    assert "of another shape (1): backbone.conv1.0.weight [1, 3, 3, 3], the network has [24, 3, 3, 3]" in text
    assert all(torch.equal(value, before[name]) for name, value in untouched.state_dict().items())


def test_files_without_weights_are_errors(tmp_path):
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (("text.pth", "text.pth"), ("text.safetensors", "cannot be read"), ("list.pth", "state_dict")):
        with pytest.raises(InputError, match=message):
            load_weights(network(), tmp_path / name)
    with pytest.raises(InputError, match=r"no such file; nearest: text\.pth"):
        load_weights(network(), tmp_path / "tect.pth")


def test_pickled_code_is_never_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="not tensors alone"):
        load_weights(network(), tmp_path / "evil.pth")
