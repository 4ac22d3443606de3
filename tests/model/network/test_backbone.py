"""Names of backbones, their preprocessing, backbones that cannot be created, and weights that timm converts."""

from typing import Any

import pytest
import timm
import torch

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.network.backbone import backbone_name, convert_weights, make_backbone, make_preprocessing
from model.settings.aliases import BACKBONES
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

SMALL = Preprocessing(32, 24)


def settings(**changes: object) -> TrainSettings:
    small = {"model": "resnet10t", "pretrained": False, "input_size": [32, 24]}
    return build(TrainSettings, [Layer("--{}", {**small, **changes})])


def test_a_backbone_is_resolved_in_any_letter_case_and_by_other_systems_names():
    assert backbone_name("ResNet18") == "resnet18"
    assert backbone_name("mobilenetv3-small-050") == "mobilenetv3_small_050"
    assert backbone_name("resnet18.a1_in1k") == "resnet18.a1_in1k"
    assert backbone_name("SEResNet26d_32x4d") == "seresnext26d_32x4d"
    assert {backbone_name(name) for name in BACKBONES} == set(BACKBONES.values())
    with pytest.raises(InputError, match=r"nearest: resnet18\.a1_in1k"):
        backbone_name("resnet18.a1_in2k")


def test_an_unknown_backbone_is_an_error_with_the_nearest_name():
    with pytest.raises(InputError, match="nearest: resnet18"):
        make_backbone("resnet81", SMALL)


def test_an_input_size_that_is_too_small_for_the_backbone_is_an_error():
    with pytest.raises(InputError, match="'convnext_atto' cannot be created for an input of 32x24 pixels"):
        make_backbone("convnext_atto", SMALL)


def test_size_and_normalisation_are_the_backbones_by_default():
    own = make_preprocessing(settings(model="resnet18", input_size=[]))
    assert (own.height, own.width) == (224, 224)
    assert own.mean == pytest.approx((0.485, 0.456, 0.406))
    changed = make_preprocessing(settings(normalisation="given", mean=[0.1, 0.2, 0.3], std=[1, 1, 1], input_size=[40]))
    assert (changed.height, changed.width, changed.mean) == (40, 40, (0.1, 0.2, 0.3))
    assert make_preprocessing(settings(normalisation="picture")).mean == ()
    mean = (0.485 + 0.456 + 0.406) / 3
    assert make_preprocessing(settings(channels=1)).mean == pytest.approx((mean,))
    assert make_preprocessing(settings(channels=4)).mean == pytest.approx((0.485, 0.456, 0.406, mean))


def test_further_arguments_and_stochastic_depth_are_passed_to_timm():
    def rates(backbone: torch.nn.Module) -> list[float]:
        return [module.drop_prob for module in backbone.modules() if isinstance(module, timm.layers.DropPath)]

    assert not any(rates(make_backbone("convnext_atto", Preprocessing(64, 64))))
    assert max(rates(make_backbone("convnext_atto", Preprocessing(64, 64), drop_path=0.3))) == pytest.approx(0.3)
    backbone = make_backbone("resnet10t", SMALL, model_args={"act_layer": "silu"})
    assert any(isinstance(module, torch.nn.SiLU) for module in backbone.modules())
    with pytest.raises(InputError, match="cannot be created"):
        make_backbone("resnet10t", SMALL, model_args={"no_such_argument": 1})


def test_if_weights_cannot_be_downloaded_the_error_says_what_to_do(monkeypatch):
    create = timm.create_model

    def offline(name, pretrained=False, **arguments):
        if pretrained:
            raise OSError("no route to host")
        return create(name, pretrained=False, **arguments)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        InputError, match=r"cannot be downloaded \(OSError: no route to host\).*--weights.*--pretrained false"
    ):
        make_backbone("resnet18", SMALL, pretrained=True)


def test_pretrained_weights_that_do_not_exist_are_an_error():
    with pytest.raises(InputError, match="no pretrained weights"):
        make_backbone("cspresnet50d", Preprocessing(64, 64), pretrained=True)


def small_vit(name: str, size: int, patch: int) -> tuple[Preprocessing, dict[str, Any]]:
    """Preprocessing of square images, and arguments that make a small network of a large one."""
    settings = build(TrainSettings, [Layer("{}", {"model": name, "input_size": [size, size]})])
    return make_preprocessing(settings), {"embed_dim": 48, "depth": 1, "num_heads": 3, "patch_size": patch}


def original_dinov2(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """facebookresearch/dinov2: the names of timm, a mask token and, with registers, a position for the class token."""
    original = {**state, "mask_token": torch.zeros(1, 48)}
    if "reg_token" in state:
        original["register_tokens"] = original.pop("reg_token")
        original["pos_embed"] = torch.cat([torch.zeros(1, 1, 48), state["pos_embed"]], dim=1)
    return original


def original_clip(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """openai/CLIP: its own names, no axes of length 1, and a text tower and a projection in addition to the trunk."""
    names = [("patch_embed.proj", "conv1"), ("norm_pre", "ln_pre"), ("blocks.", "transformer.resblocks.")]
    names += [("attn.qkv.", "attn.in_proj_"), ("attn.proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc")]
    names += [("mlp.fc2", "mlp.c_proj"), ("norm1", "ln_1"), ("norm2", "ln_2"), ("pos_embed", "positional_embedding")]
    original = {"token_embedding.weight": torch.zeros(5, 3), "visual.proj": torch.zeros(48, 20)}
    for key, value in state.items():
        if key == "cls_token":
            key, value = "class_embedding", value[0, 0]
        for timms, own in names:
            key = key.replace(timms, own)
        key = f"ln_post{key[4:]}" if key.startswith("norm.") else key
        original[f"visual.{key}"] = value[0] if key == "positional_embedding" else value
    return original


def original_siglip(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """open_clip's files of SigLIP: timm's names below `visual.trunk.`, and a text tower."""
    return {"text.token_embedding.weight": torch.zeros(5, 3)} | {f"visual.trunk.{k}": v for k, v in state.items()}


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("vit_small_patch14_dinov2", original_dinov2),
        ("vit_small_patch14_reg4_dinov2", original_dinov2),
        ("vit_base_patch32_clip_224", original_clip),
        ("vit_base_patch16_siglip_224", original_siglip),
    ],
)
def test_original_names_and_another_input_size_are_converted(name, original):
    preprocessing, arguments = small_vit(name, 32, 8)
    reference = make_backbone(name, preprocessing, model_args=arguments)
    state = reference.state_dict()
    same = convert_weights(name, preprocessing, original(state), arguments)
    assert same is not None and same.keys() == state.keys()
    for key, value in same.items():
        torch.testing.assert_close(value, state[key])
    # 48 pixels: 6 x 6 patches instead of 4 x 4
    larger, arguments = small_vit(name, 48, 8)
    converted = convert_weights(name, larger, original(state), arguments)
    assert converted is not None and converted["pos_embed"].shape[1] - state["pos_embed"].shape[1] == 36 - 16
    torch.testing.assert_close(converted["blocks.0.mlp.fc1.weight"], state["blocks.0.mlp.fc1.weight"])


def test_weights_of_another_backbone_are_not_converted():
    preprocessing, arguments = small_vit("vit_small_patch14_dinov2", 32, 8)
    state = make_backbone("vit_small_patch14_dinov2", preprocessing, model_args=arguments).state_dict()
    del state["blocks.0.mlp.fc1.bias"]
    assert convert_weights("vit_small_patch14_dinov2", preprocessing, state, arguments) is None
    assert convert_weights("resnet10t", preprocessing, state) is None
