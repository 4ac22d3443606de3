import logging
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from model.attributes import Attribute
from model.errors import InputError
from model.labels import Scheme, mask_scheme
from model.network.backbone import make_backbone, make_preprocessing
from model.network.heads import Heads, make_heads
from model.network.network import Network
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.weights.initial_weights import load_backbone, load_weights, make_network
from tests.model.training.conftest import save_network

HEADS = make_heads(mask_scheme(), "heads", lambda head, classes: classes)
SMALL = {"model": "resnet10t", "pretrained": False, "input_size": [32, 24]}


def settings_of(**values: object) -> TrainSettings:
    return build(TrainSettings, [Layer("--{}", {**SMALL, **values})])


def network(heads: Heads = HEADS, **values: object) -> Network:
    settings = settings_of(**values)
    return make_network(settings, heads, make_preprocessing(settings))


def load(untouched: Network, path: Path) -> None:
    load_weights(untouched, path, HEADS, settings_of(), make_preprocessing(settings_of()))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_timm_file_is_loaded_into_the_backbone_and_its_unused_classifier_is_logged(tmp_path, caplog, suffix):
    reference = timm.create_model("resnet10t", pretrained=False, num_classes=7)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{name}": value for name, value in reference.state_dict().items()}}, path)
    else:
        save_file(reference.state_dict(), path)
    with caplog.at_level(logging.INFO, "rarebird"):
        loaded = network(weights=str(path))
    assert torch.equal(loaded.backbone.state_dict()["conv1.0.weight"], reference.state_dict()["conv1.0.weight"])
    assert "the classifier has another shape and is trained from scratch" in caplog.text
    assert "fc.weight [7, 512]" in caplog.text


def test_a_files_heads_are_loaded_if_they_fit_and_the_log_says_that_names_were_not_compared(tmp_path, caplog):
    before = network()
    save_file(before.state_dict(), tmp_path / "model.safetensors")
    with caplog.at_level(logging.INFO, "rarebird"):
        after = network(weights=str(tmp_path))
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    assert "the file has no class names, so its classifier is loaded row by row" in caplog.text
    wider = network(weights=str(tmp_path), hidden_layers=[8])
    assert torch.equal(wider.state_dict()["backbone.conv1.0.weight"], before.state_dict()["backbone.conv1.0.weight"])


@pytest.mark.parametrize("named", ["folder", "file"])
def test_the_rows_of_a_saved_model_follow_the_names_of_their_classes(tmp_path, caplog, named):
    def heads(*values: str) -> Heads:
        return make_heads(Scheme((Attribute("label", values),)), "joint", lambda head, classes: classes)

    before = network(heads("c", "b", "a"))
    save_network(tmp_path / "rev", before, heads("c", "b", "a"), settings_of())
    path = tmp_path / "rev" if named == "folder" else tmp_path / "rev" / "model.safetensors"
    with caplog.at_level(logging.INFO, "rarebird"):
        after = network(heads("a", "b", "c"), weights=str(path))
    pixels = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 32, 24)).astype(np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(after.eval()(pixels), before.eval()(pixels).flip(1))
    assert "classifier label: the rows of 3 of 3 classes are loaded by class name, in a different order" in caplog.text
    same = network(heads("c", "b", "a"), weights=str(path)).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in before.state_dict().items())


def test_other_mismatches_are_an_error_with_the_keys_and_nothing_is_loaded(tmp_path):
    reference = timm.create_model("resnet10t", pretrained=False, num_classes=7).state_dict()
    reference["conv1.0.weight"] = torch.zeros(1, 3, 3, 3)
    reference["extra.weight"] = reference.pop("conv1.3.weight")
    save_file(reference, tmp_path / "w.safetensors")
    untouched = network()
    before = {name: value.clone() for name, value in untouched.state_dict().items()}
    with pytest.raises(InputError) as error:
        load(untouched, tmp_path / "w.safetensors")
    text = str(error.value)
    assert "missing in the file (1): backbone.conv1.3.weight" in text
    assert "not in the network (1): backbone.extra.weight" in text
    assert "with another shape (1): backbone.conv1.0.weight [1, 3, 3, 3], the network has [24, 3, 3, 3]" in text
    assert all(torch.equal(value, before[name]) for name, value in untouched.state_dict().items())


def test_a_vit_file_for_another_input_size_has_its_position_embeddings_resampled(tmp_path, caplog):
    smaller = network(model="test_vit", input_size=[32, 32])
    save_file(smaller.state_dict(), tmp_path / "w.safetensors")
    random_state = torch.get_rng_state()
    with caplog.at_level(logging.INFO, "rarebird"):
        larger = network(model="test_vit", input_size=[48, 48], weights=str(tmp_path / "w.safetensors"))
    before, after = smaller.state_dict(), larger.state_dict()
    assert before["backbone.pos_embed"].shape == (1, 1 + 2 * 2, 64)
    assert after["backbone.pos_embed"].shape == (1, 1 + 3 * 3, 64)
    # bicubic: the corners stay close to those of the smaller grid; the class token is unchanged
    torch.testing.assert_close(after["backbone.pos_embed"][:, 0], before["backbone.pos_embed"][:, 0])
    corners = (after["backbone.pos_embed"][0, 1] * before["backbone.pos_embed"][0, 1]).sum()
    assert corners > 0.5 * before["backbone.pos_embed"][0, 1].pow(2).sum()
    assert torch.equal(after["backbone.blocks.0.attn.qkv.weight"], before["backbone.blocks.0.attn.qkv.weight"])
    assert "converted by timm" in caplog.text
    # the conversion does not change the random numbers of training
    torch.set_rng_state(random_state)
    network(model="test_vit", input_size=[48, 48])
    expected = torch.rand(3)
    torch.set_rng_state(random_state)
    network(model="test_vit", input_size=[48, 48], weights=str(tmp_path / "w.safetensors"))
    assert torch.equal(torch.rand(3), expected)


def test_a_network_for_grey_images_loads_weights_for_colour_images(tmp_path):
    coloured = network()
    save_file(coloured.state_dict(), tmp_path / "w.safetensors")
    grey = network(channels=1, weights=str(tmp_path / "w.safetensors")).state_dict()["backbone.conv1.0.weight"]
    torch.testing.assert_close(grey, coloured.state_dict()["backbone.conv1.0.weight"].sum(1, keepdim=True))


@pytest.mark.parametrize("kind", ["timm", "saved"])
def test_a_backbone_is_loaded_without_its_classifier_and_nothing_is_logged(tmp_path, caplog, kind):
    settings = settings_of()
    preprocessing = make_preprocessing(settings)
    if kind == "timm":
        reference = timm.create_model("resnet10t", pretrained=False, num_classes=7)
        save_file(reference.state_dict(), tmp_path / "model.safetensors")
    else:
        saved = network()
        reference = saved.backbone
        save_file(saved.state_dict(), tmp_path / "model.safetensors")
    backbone = network().backbone
    with caplog.at_level(logging.INFO, "rarebird"):
        load_backbone(backbone, tmp_path / "model.safetensors", settings, preprocessing)
    assert all(torch.equal(value, reference.state_dict()[name]) for name, value in backbone.state_dict().items())
    assert not caplog.messages


def test_a_backbone_that_does_not_fit_is_not_loaded(tmp_path):
    save_file({"conv1.0.weight": torch.zeros(3), "other": torch.zeros(1)}, tmp_path / "w.safetensors")
    backbone = network().backbone
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(InputError, match="do not fit the network") as error:
        load_backbone(backbone, tmp_path / "w.safetensors", settings_of(), make_preprocessing(settings_of()))
    assert "backbone.other" in str(error.value) and "conv1.0.weight [3]" in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_a_backbone_of_another_input_size_is_converted_by_timm(tmp_path, caplog):
    """The position embeddings of a vision transformer."""
    reference = timm.create_model("test_vit", pretrained=False, num_classes=5)  # 160 x 160
    save_file(reference.state_dict(), tmp_path / "w.safetensors")
    settings = settings_of(model="test_vit", input_size=[64, 64])
    preprocessing = make_preprocessing(settings)
    backbone = make_backbone("test_vit", preprocessing)
    with caplog.at_level(logging.INFO, "rarebird"):
        load_backbone(backbone, tmp_path / "w.safetensors", settings, preprocessing)
    assert "converted by timm" in caplog.text
    assert torch.equal(backbone.norm.weight, reference.norm.weight)
    assert backbone.pos_embed.shape != reference.pos_embed.shape
