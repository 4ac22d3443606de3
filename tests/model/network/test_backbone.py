"""Names of backbones, their preprocessing, and backbones that cannot be created."""

import pytest
import timm
import torch

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.network.backbone import backbone_name, make_backbone, make_preprocessing
from model.settings.aliases import BACKBONES
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

SMALL = Preprocessing(32, 24)


def settings(**given: object) -> TrainSettings:
    small = {"model": "resnet10t", "pretrained": False, "input_size": [32, 24]}
    return build(TrainSettings, [Layer("--{}", {**small, **given})])


def test_a_backbone_is_found_in_any_letter_case_and_by_other_systems_names():
    assert backbone_name("ResNet18") == "resnet18"
    assert backbone_name("mobilenetv3-small-050") == "mobilenetv3_small_050"
    assert backbone_name("resnet18.a1_in1k") == "resnet18.a1_in1k"
    assert backbone_name("SEResNet26d_32x4d") == "seresnext26d_32x4d"
    assert {backbone_name(name) for name in BACKBONES} == set(BACKBONES.values())
    with pytest.raises(InputError, match=r"nearest: resnet18\.a1_in1k"):
        backbone_name("resnet18.a1_in2k")


def test_a_backbone_that_there_is_not_names_the_nearest():
    with pytest.raises(InputError, match="nearest: resnet18"):
        make_backbone("resnet81", SMALL)


def test_images_too_small_for_a_backbone_are_told():
    with pytest.raises(InputError, match="'convnext_atto' cannot be made for 32x24 pixels"):
        make_backbone("convnext_atto", SMALL)


def test_size_and_normalisation_are_the_backbones_unless_given():
    own = make_preprocessing(settings(model="resnet18", input_size=[]))
    assert (own.height, own.width) == (224, 224)
    assert own.mean == pytest.approx((0.485, 0.456, 0.406))
    given = make_preprocessing(settings(normalisation="given", mean=[0.1, 0.2, 0.3], std=[1, 1, 1], input_size=[40]))
    assert (given.height, given.width, given.mean) == (40, 40, (0.1, 0.2, 0.3))
    assert make_preprocessing(settings(normalisation="picture")).mean == ()
    assert make_preprocessing(settings(channels=1)).mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))


def test_further_arguments_and_stochastic_depth_reach_timm():
    def rates(backbone: torch.nn.Module) -> list[float]:
        return [module.drop_prob for module in backbone.modules() if isinstance(module, timm.layers.DropPath)]

    assert not any(rates(make_backbone("convnext_atto", Preprocessing(64, 64))))
    assert max(rates(make_backbone("convnext_atto", Preprocessing(64, 64), drop_path=0.3))) == pytest.approx(0.3)
    backbone = make_backbone("resnet10t", SMALL, model_args={"act_layer": "silu"})
    assert any(isinstance(module, torch.nn.SiLU) for module in backbone.modules())
    with pytest.raises(InputError, match="cannot be made"):
        make_backbone("resnet10t", SMALL, model_args={"no_such_argument": 1})


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
        make_backbone("resnet18", SMALL, pretrained=True)


def test_a_backbone_without_weights_says_so():
    with pytest.raises(InputError, match="no pretrained weights"):
        make_backbone("cspresnet50d", Preprocessing(64, 64), pretrained=True)
