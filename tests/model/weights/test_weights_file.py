import pytest
import torch
from safetensors.torch import save_file

from model.artifacts.archive import pack
from model.attributes import Attribute
from model.errors import InputError
from model.labels import Scheme
from model.network.heads import make_heads
from model.weights.weights_file import check_weights, read_weights
from tests.model.training.conftest import save_network, tiny_network

HEADS = make_heads(Scheme((Attribute("kind", ("a", "b")),)), "joint", lambda head, classes: classes)
BOTH = pytest.mark.parametrize("read", [read_weights, check_weights])


@BOTH
def test_files_without_weights_are_errors(tmp_path, read):
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (("text.pth", "text.pth"), ("text.safetensors", "cannot be read"), ("list.pth", "state_dict")):
        with pytest.raises(InputError, match=message):
            read(tmp_path / name)
    with pytest.raises(InputError, match=r"no such file; nearest: text\.pth"):
        read(tmp_path / "tect.pth")
    with pytest.raises(InputError, match=r"no such file; nearest: text\.safetensors"):
        read(tmp_path / "tect.safetensors")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "model.tar.gz")


@BOTH
def test_a_truncated_file_is_an_error(tmp_path, read):
    save_file({"a": torch.zeros(1000)}, tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "cut.safetensors")


@BOTH
def test_pickled_code_is_never_run(tmp_path, read, capsys):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="contains objects that are not tensors"):
        read(tmp_path / "evil.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("form", ["folder", "above", "file", "archive"])
def test_the_heads_of_a_saved_model_come_with_its_weights(tmp_path, form):
    network, settings = tiny_network(HEADS)
    save_network(tmp_path / "models" / "run", network, HEADS, settings)
    pack(tmp_path / "models" / "run", tmp_path / "model.tar.gz")
    forms = {
        "folder": tmp_path / "models" / "run",
        "above": tmp_path / "models",
        "file": tmp_path / "models" / "run" / "model.safetensors",
        "archive": tmp_path / "model.tar.gz",
    }
    check_weights(forms[form])
    weights = read_weights(forms[form])
    assert weights.heads == HEADS and weights.tensors.keys() == network.state_dict().keys()


def test_a_file_of_another_name_has_no_heads_even_next_to_labels_json(tmp_path):
    network, settings = tiny_network(HEADS)
    save_network(tmp_path, network, HEADS, settings)
    save_file(network.state_dict(), tmp_path / "other.safetensors")
    assert read_weights(tmp_path / "other.safetensors").heads is None
