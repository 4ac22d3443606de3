"""Features of networks: against timm's own, of backbones, saved models and archives, at several sizes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from model.artifacts.archive import pack
from model.artifacts.files import PREPROCESSING
from model.atomic_write import write_json
from model.data.image_dataset import in_order
from model.embeddings import extractor
from model.embeddings.embed import embed_table
from model.embeddings.extractor import make_networks, state_digest
from model.errors import InputError
from model.images.decode import read_image
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.network.backbone import make_preprocessing
from model.network.tensors import network_tensors
from model.runtime.hardware import find_hardware
from model.settings.embedder import EmbedderSettings
from tests.model.embeddings.conftest import IMAGES, read_table
from tests.model.training.conftest import save_network, tiny_network
from tests.model.weights.test_classifier_rows import heads_of

CPU = EmbedderSettings(device="cpu", precision="fp32")
# no head, a convolution and an activation behind the pooling, a class token and a fixed input size
BACKBONES = {"test_resnet": (160, 160), "mobilenetv3_small_050": (64, 48), "test_vit": (160, 160)}


def timm_model(name: str, path: Path, **arguments: object) -> torch.nn.Module:
    """A backbone with a classifier of 7 classes, random weights and batch norm statistics, saved to path."""
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=7, **arguments)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    save_file(model.state_dict(), path)
    return model.eval()


def tensors(channel: Path, paths: list[str], preprocessing: Preprocessing) -> torch.Tensor:
    """Normalised inputs by torch alone, of the fitted images."""
    fitted = []
    for path in paths:
        with Image.open(channel / path) as image:
            fitted.append(np.array(preprocessing.fit_image(image.convert("RGB"))))
    pixels = torch.from_numpy(np.stack(fitted)).permute(0, 3, 1, 2) / 255
    return (pixels - torch.tensor(preprocessing.mean).view(3, 1, 1)) / torch.tensor(preprocessing.std).view(3, 1, 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_features_are_timms_before_its_classifier(channel: Path, tmp_path: Path, name: str) -> None:
    model, table = timm_model(name, tmp_path / "w.safetensors"), read_table(channel)
    settings = replace(CPU, model=name, weights=str(tmp_path / "w.safetensors"), input_size=list(BACKBONES[name]))
    (network,) = make_networks(settings)
    config = timm.get_pretrained_cfg(name)
    assert network.pipeline.preprocessing.mean == config.mean
    assert network.name == f"{name}, {BACKBONES[name][0]}x{BACKBONES[name][1]}"
    dataset = network.dataset(table.root, table.locations)
    computed = [features for _, features in network.computed(dataset, in_order(len(table), 4), workers=2)]
    with torch.inference_mode():
        inputs = tensors(channel, table.locations.paths, network.pipeline.preprocessing)
        expected = model.forward_head(model.forward_features(inputs), pre_logits=True)
    assert expected.std() > 1e-3 and network.features == expected.shape[1]
    np.testing.assert_allclose(np.concatenate(computed), expected, atol=1e-4, rtol=1e-3)
    assert torch.get_num_threads() == 1  # as the tests set it


def test_features_of_a_saved_model_are_what_its_classifier_reads(channel: Path, models: Path, tmp_path: Path) -> None:
    """Its linear layer gives the logits of the backend from them."""
    from model.artifacts.saved_model import load_model
    from model.prediction.torch_backend import TorchBackend

    table, saved = read_table(channel), load_model(models / "a")
    embeddings = embed_table(table, replace(CPU, model=str(models / "a")), tmp_path)
    assert embeddings.name == "a, 32x24"
    (network,) = make_networks(replace(CPU, model=str(models / "a")))
    views = network.dataset(table.root, table.locations).transform
    inputs = Inputs.stack([views(read_image(channel, location), 0) for location in table.locations]).by_view()
    features = network(inputs)
    weights = load_file(models / "a" / "model.safetensors")
    logits = features @ weights["heads.0.1.weight"].numpy().T + weights["heads.0.1.bias"].numpy()
    np.testing.assert_allclose(logits, TorchBackend.load(saved, "cpu", "fp32").logits(inputs), atol=1e-4)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings.features, features / lengths, atol=1e-3)


def test_a_saved_model_an_archive_and_its_weights_have_the_same_features(
    channel: Path, models: Path, tmp_path: Path
) -> None:
    table = read_table(channel)
    first = embed_table(table, replace(CPU, model=str(models / "a")), tmp_path)
    pack(models / "a", tmp_path / "a.tar.gz")
    again = embed_table(table, replace(CPU, model=str(tmp_path / "a.tar.gz")), tmp_path)
    assert again.folders == first.folders and again.computed == 0
    backbone = replace(CPU, model="test_resnet", weights=str(models / "a"), input_size=[32, 24])
    (network,) = make_networks(backbone)
    assert network.identity() == next(make_networks(replace(CPU, model=str(models / "a")))).identity()
    assert network.weights == "a"


@pytest.mark.parametrize(
    "change", [{"input_size": [40, 24]}, {"precision": "bf16"}, {"weights": "other"}, {"model": "test_efficientnet"}]
)
def test_other_weights_sizes_and_precisions_have_folders_of_their_own(tmp_path: Path, change: dict) -> None:
    timm_model("test_resnet", tmp_path / "w.safetensors")
    name = change.get("model", "test_resnet")
    other = timm.create_model(name, pretrained=False, num_classes=0)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    settings = replace(CPU, model="test_resnet", weights=str(tmp_path / "w.safetensors"), input_size=[32, 24])
    if "model" in change or "weights" in change:
        change = {**change, "weights": str(tmp_path / "other.safetensors")}
    (one,), (same,), (changed,) = map(make_networks, (settings, settings, replace(settings, **change)))
    assert one.folder == same.folder != changed.folder


def test_a_classifier_and_batch_counters_do_not_count(tmp_path: Path) -> None:
    model = timm_model("test_resnet", tmp_path / "a.safetensors")
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("fc.")}
    save_file({name: value for name, value in state.items() if "num_batches" not in name}, tmp_path / "b.safetensors")
    settings = replace(CPU, model="test_resnet", input_size=[32])
    (a,), (b,) = (make_networks(replace(settings, weights=str(tmp_path / f"{name}.safetensors"))) for name in "ab")
    assert a.folder == b.folder
    before = state_digest(a.network)
    a.network.bn1.running_mean[0] += 1e-6
    assert before == state_digest(b.network) != state_digest(a.network)


def test_several_sizes_of_a_backbone(channel: Path, tmp_path: Path) -> None:
    timm_model("test_resnet", tmp_path / "w.safetensors")
    settings = replace(CPU, model="test_resnet", weights=str(tmp_path / "w.safetensors"))
    table = read_table(channel)
    both = embed_table(table, replace(settings, sizes=[32, 48]), tmp_path)
    parts = [embed_table(table, replace(settings, input_size=[size]), tmp_path) for size in (32, 48)]
    assert both.name == "test_resnet, 32x32, 48x48" and [part.computed for part in parts] == [0, 0]
    assert (both.features == np.hstack([part.features for part in parts])).all()
    assert both.computed == 2 * (IMAGES - 1)


def test_bf16_is_near_fp32(channel: Path, tmp_path: Path) -> None:
    timm_model("test_resnet", tmp_path / "w.safetensors")
    settings = replace(CPU, model="test_resnet", weights=str(tmp_path / "w.safetensors"), input_size=[64])
    table = read_table(channel)
    fp32, bf16 = (
        embed_table(table, replace(settings, precision=precision), tmp_path).normalised()
        for precision in ("fp32", "bf16")
    )
    cosines = (fp32 * bf16).sum(1)
    assert cosines.min() > 0.999 and not (fp32 == bf16).all()


def test_features_beyond_float16_are_cut(tmp_path: Path, monkeypatch) -> None:
    timm_model("test_resnet", tmp_path / "w.safetensors")
    settings = replace(CPU, model="test_resnet", weights=str(tmp_path / "w.safetensors"), input_size=[32])
    (network,) = make_networks(settings)
    monkeypatch.setattr(network, "network", lambda pixels: torch.tensor([[1e9, -1e9, 2.0]]))
    features = network(Inputs({"pixels": np.zeros((1, 32, 32, 3), np.uint8)}))
    assert features.tolist() == [[65504, -65504, 2]]


def test_missing_pretrained_weights_name_the_ways_out(monkeypatch) -> None:
    def offline(name: str, pretrained: bool = False, **arguments: object) -> torch.nn.Module:
        if pretrained:
            raise OSError("no route to host")
        return real(name, **arguments)

    real = timm.create_model
    monkeypatch.setattr(timm, "create_model", offline)
    message = r"cannot be downloaded \(OSError: no route to host\); .*--weights FILE.*--model FOLDER.*--model thumbnail"
    with pytest.raises(InputError, match=message):
        list(make_networks(replace(CPU, model="test_resnet")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "mobilenetv2_101"}, "nearest: mobilenetv2_1"),
        ({"model": "{models}/a", "weights": "{models}/b"}, "is a saved model with its own"),
        ({"model": "test_convnext", "weights": "{models}/a"}, "do not fit the network"),
        ({"model": "{models}/gendre"}, "there is no such folder; nearest: gender"),
        ({"model": "{models}"}, "contains 5 saved models"),
    ],
)
def test_models_that_cannot_be_loaded_are_reported(models: Path, settings: dict, message: str) -> None:
    filled = {name: value.format(models=models) for name, value in settings.items()}
    with pytest.raises(InputError, match=message):
        list(make_networks(replace(CPU, **filled)))


def test_an_ensemble_is_no_embedder(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "a", tmp_path / "both" / "a")
    (tmp_path / "both" / "ensemble.json").write_text("{}")
    with pytest.raises(InputError, match="is an ensemble; name one of the models in it"):
        list(make_networks(replace(CPU, model=str(tmp_path / "both"))))


def test_each_thread_computes_with_one_thread_of_torch(channel: Path, tmp_path: Path, monkeypatch) -> None:
    timm_model("test_resnet", tmp_path / "w.safetensors")
    settings = replace(CPU, model="test_resnet", weights=str(tmp_path / "w.safetensors"), input_size=[32])
    (network,), table, numbers = make_networks(settings), read_table(channel), []
    real = network.network

    def recorded(pixels: torch.Tensor) -> torch.Tensor:
        numbers.append(torch.get_num_threads())
        return real(pixels)

    monkeypatch.setattr(network, "network", recorded)
    torch.set_num_threads(2)
    try:
        list(network.computed(network.dataset(table.root, table.locations), in_order(IMAGES, 2), 2))
        assert set(numbers) == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert network.batch_size == extractor.CPU_BATCH


@pytest.mark.parametrize("kind", [{"adapter": "lora"}, {"adapter": "adaptformer"}, {"pooling": "attention"}])
def test_features_of_a_saved_model_are_those_of_its_adapters_and_its_backbones_own_pooling(
    tmp_path: Path, kind: dict[str, str]
) -> None:
    heads = heads_of(kind=("a", "b"))
    network, settings = tiny_network(heads, model="test_vit", input_size=[32, 32], **kind)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    save_network(tmp_path / "m", network, heads, settings)
    pipeline = InputPipeline(make_preprocessing(settings))
    write_json(tmp_path / "m" / PREPROCESSING, pipeline.to_dict())
    (embedder,) = make_networks(replace(CPU, model=str(tmp_path / "m")))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    inputs = network_tensors(Inputs({"pixels": pixels}), pipeline.preprocessing, find_hardware("cpu", "fp32"))
    with torch.inference_mode():
        expected = network.eval().backbone(inputs["pixels"])
    np.testing.assert_allclose(embedder(Inputs({"pixels": pixels})), expected, atol=1e-5)
