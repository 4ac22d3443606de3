import pytest
import torch

from model.attributes import Attribute, banded
from model.labels import Scheme
from model.network.heads import Heads, make_heads
from model.network.number_bins import NumberBins
from model.weights.classifier_rows import match_classifiers
from tests.model.training.conftest import tiny_network


def heads_of(target: str = "joint", one_logit: bool = False, **attributes: tuple[str, ...]) -> Heads:
    scheme = Scheme(tuple(Attribute(name, values) for name, values in attributes.items()))
    return make_heads(scheme, target, lambda head, classes: 1 if one_logit else classes)


def matched(saved_heads: Heads, heads: Heads, saved_hidden: tuple[int, ...] = (), hidden: tuple[int, ...] = ()):
    """State of the saved network, that of the new one, and the match."""
    saved = tiny_network(saved_heads, saved_hidden)[0].state_dict()
    for name in saved:
        if name.endswith("bias"):
            saved[name] = torch.arange(saved[name].numel()).reshape(saved[name].shape) + 1.0
    initial = tiny_network(heads, hidden)[0].state_dict()
    return saved, initial, match_classifiers(saved, saved_heads, initial, heads)


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_rows_are_matched_by_name_and_new_classes_keep_their_initial_rows(hidden):
    saved, initial, match = matched(heads_of(kind=("a", "b", "c")), heads_of(kind=("c", "x", "a", "y")), hidden, hidden)
    last = "heads.0.4" if hidden else "heads.0.1"
    weight, bias = match.tensors[f"{last}.weight"], match.tensors[f"{last}.bias"]
    assert torch.equal(weight[[2, 0]], saved[f"{last}.weight"][[0, 2]])
    assert torch.equal(weight[[1, 3]], initial[f"{last}.weight"][[1, 3]])
    assert bias.tolist() == [3, 0, 1, 0]
    if hidden:
        assert torch.equal(match.tensors["heads.0.1.weight"], saved["heads.0.1.weight"])
    assert match.lines == ["classifier kind: the rows of 2 of 4 classes are loaded by class name; from scratch: x, y"]
    assert saved[f"{last}.bias"].tolist() == [1, 2, 3]  # the saved state itself is not changed


def test_a_head_without_matching_classes_is_not_loaded_nor_are_its_hidden_layers():
    _, _, match = matched(heads_of(kind=("a", "b")), heads_of(kind=("c", "d")), (6,), (6,))
    assert not match.tensors and "not used, no class name matches one of the saved model: a, b" in match.lines[0]


def test_a_head_with_hidden_layers_of_another_width_is_not_loaded():
    _, _, match = matched(heads_of(kind=("a", "b")), heads_of(kind=("a", "b")), (6,), (5,))
    assert not match.tensors and "its layers differ: saved [6, 96], [2, 6], here [5, 96], [2, 5]" in match.lines[0]


def test_a_head_with_the_same_classes_is_loaded_unchanged():
    saved, _, match = matched(heads_of(kind=("a", "b")), heads_of(kind=("a", "b")))
    assert all(torch.equal(value, saved[name]) for name, value in match.tensors.items()) and len(match.tensors) == 2
    assert match.lines == ["classifier kind: loaded, it has the same 2 classes"]


def test_heads_are_matched_by_attribute_but_single_heads_regardless_of_their_name():
    two_heads = heads_of("heads", size=("s", "l"), kind=("a", "b"))
    saved, _, match = matched(two_heads, heads_of("heads", kind=("b", "a"), colour=("a", "b")))
    assert match.tensors["heads.0.1.bias"].tolist() == [2, 1]  # rows of the second saved head
    assert torch.equal(match.tensors["heads.0.1.weight"], saved["heads.1.1.weight"].flip(0))
    assert "heads.1.1.bias" not in match.tensors  # a and b are values of another attribute
    assert "classifier colour: starts from scratch: the saved model has none for colour" in match.lines[1]
    _, _, renamed = matched(heads_of(label=("a", "b")), heads_of(kind=("b", "a")))
    assert renamed.tensors["heads.0.1.bias"].tolist() == [2, 1]


def test_joint_classes_are_matched_by_their_joint_names():
    _, _, match = matched(heads_of(size=("s", "l"), kind=("a", "b")), heads_of(size=("l", "s"), kind=("a", "b", "c")))
    assert match.tensors["heads.0.1.bias"].tolist() == [3, 4, 0, 1, 2, 0]  # l/a l/b l/c s/a s/b s/c


def test_one_logit_of_two_classes_changes_its_sign_if_they_are_swapped():
    saved, _, match = matched(heads_of(one_logit=True, kind=("a", "b")), heads_of(one_logit=True, kind=("b", "a")))
    assert torch.equal(match.tensors["heads.0.1.weight"], -saved["heads.0.1.weight"])
    assert match.tensors["heads.0.1.bias"].tolist() == [-1]
    _, _, other = matched(heads_of(one_logit=True, kind=("a", "b")), heads_of(one_logit=True, kind=("a", "c")))
    assert not other.tensors and "it has other classes: a, b" in other.lines[0]
    _, _, mixed = matched(heads_of(one_logit=True, kind=("a", "b")), heads_of(kind=("a", "b")))
    assert not mixed.tensors


@pytest.mark.parametrize("one_logit", [False, True])
def test_the_scale_of_a_cosine_layer_is_that_of_all_rows(one_logit):
    def state(heads: Heads) -> dict[str, torch.Tensor]:
        return tiny_network(heads, classifier="cosine")[0].state_dict()

    saved_heads, heads = (heads_of(one_logit=one_logit, kind=names) for names in (("a", "b"), ("b", "a")))
    saved, initial = state(saved_heads), state(heads)
    saved["heads.0.1.log_scale"] += 1
    tensors = match_classifiers(saved, saved_heads, initial, heads).tensors
    rows = saved["heads.0.1.weight"]
    assert torch.equal(tensors["heads.0.1.weight"], -rows if one_logit else rows.flip(0))
    assert torch.equal(tensors["heads.0.1.log_scale"], saved["heads.0.1.log_scale"])
    linear = tiny_network(heads)[0].state_dict()
    assert not match_classifiers(saved, saved_heads, linear, heads).tensors


def test_a_learned_number_is_loaded_if_its_bins_are_the_same():
    def ages(edges: tuple[float, ...], *names: str) -> Heads:
        scheme = Scheme((banded("age", [30], names),))
        bins = {"age": NumberBins(edges, (30.0,), 0.5, 4.0)} if edges else {}
        return make_heads(scheme, "age", lambda head, classes: classes, bins=bins)

    edges = (0.0, 30.0, 40.0, 90.0)
    saved, _, match = matched(ages(edges), ages(edges, "old", "older"))
    assert torch.equal(match.tensors["heads.0.1.bias"], saved["heads.0.1.bias"])
    _, _, match = matched(ages(edges), ages((0.0, 30.0, 60.0, 90.0)))
    assert not match.tensors and "the saved one has 3 bins of its number from 0 to 90" in match.lines[0]
    _, _, match = matched(ages(()), ages((0.0, 30.0, 90.0)))
    assert not match.tensors and "the saved one has a row for each class" in match.lines[0]
