import pytest
import timm
import torch

from model.errors import InputError
from model.labels import mask_scheme
from model.network.freezing import fix_norm, freeze, unfreeze
from model.network.heads import make_heads
from model.network.network import Network, make_preprocessing
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.initial_weights import make_network

HEADS = make_heads(mask_scheme(), "heads", lambda head: "focal")


def settings(**given: object) -> TrainSettings:
    small = {"model": "resnet10t", "pretrained": False, "input_size": [32, 24]}
    return build(TrainSettings, [Layer("--{}", {**small, **given})])


def network(**given: object) -> Network:
    made = settings(**given)
    return make_network(made, HEADS, make_preprocessing(made))


@pytest.mark.parametrize("model", ["resnet10t", "mobilenetv3_small_050", "vit_tiny_patch16_224", "convnext_atto"])
def test_any_backbone_gives_a_logit_an_output(model):
    made = settings(model=model, input_size=[64, 32])
    out = make_network(made, HEADS, make_preprocessing(made))(torch.randn(2, 3, 64, 32))
    assert out.shape == (2, 8)


def test_hidden_layers_grey_pictures_and_dropout():
    found = network(hidden_layers=[32, 16], channels=1, dropout=0.5)
    assert found(torch.randn(2, 1, 32, 24)).shape == (2, 8)
    widths = [layer.out_features for layer in found.heads[0] if isinstance(layer, torch.nn.Linear)]
    assert widths == [32, 16, 3]
    assert any(isinstance(layer, torch.nn.Dropout) and layer.p == 0.5 for layer in found.heads[0])


def test_a_backbone_that_there_is_not_names_the_nearest():
    with pytest.raises(InputError, match="nearest: resnet18"):
        network(model="resnet81")


def test_pictures_too_small_for_a_backbone_are_told():
    with pytest.raises(InputError, match="'convnext_atto' cannot be made for 32x24 pixels"):
        network(model="convnext_atto")


def test_size_and_normalisation_are_the_backbones_unless_given():
    own = make_preprocessing(settings(model="resnet18", input_size=[]))
    assert (own.height, own.width) == (224, 224)
    assert own.mean == pytest.approx((0.485, 0.456, 0.406))
    given = make_preprocessing(settings(normalisation="given", mean=[0.1, 0.2, 0.3], std=[1, 1, 1], input_size=[40]))
    assert (given.height, given.width, given.mean) == (40, 40, (0.1, 0.2, 0.3))
    assert make_preprocessing(settings(normalisation="picture")).mean == ()
    assert make_preprocessing(settings(channels=1)).mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))


def test_weights_that_cannot_be_fetched_name_the_ways_out(monkeypatch):
    create = timm.create_model

    def offline(name, pretrained=False, **arguments):
        if pretrained:
            raise OSError("no route to host")
        return create(name, pretrained=False, **arguments)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        InputError, match=r"cannot be fetched \(OSError: no route to host\).*--weights.*--pretrained false"
    ):
        network(model="resnet18", pretrained=True)


def test_a_backbone_without_weights_says_so():
    with pytest.raises(InputError, match="no pretrained weights"):
        network(model="cspresnet50d", pretrained=True)


def test_freezing_and_thawing():
    found = network()
    freeze(found, ["conv1", "layer1"])
    still = {name.split(".")[0] for name, parameter in found.backbone.named_parameters() if not parameter.requires_grad}
    assert still == {"conv1", "layer1"}
    freeze(found, ["backbone"])
    assert not any(parameter.requires_grad for parameter in found.backbone.parameters())
    assert all(parameter.requires_grad for parameter in found.heads.parameters())
    unfreeze(found)
    assert all(parameter.requires_grad for parameter in found.parameters())
    with pytest.raises(InputError, match=r"the backbone has no 'layer9', it has.*nearest: layer"):
        freeze(found, ["layer9"])


def test_fixed_norms_keep_their_statistics_while_training():
    found = network()
    found.train()
    fix_norm(found.backbone)
    before = {name: value.clone() for name, value in found.named_buffers()}
    found(torch.randn(4, 3, 32, 24) + 3)
    assert all(torch.equal(value, before[name]) for name, value in found.named_buffers())
