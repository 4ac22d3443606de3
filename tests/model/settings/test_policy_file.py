"""Policy files in the setting `augmentation`."""

import pytest

from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

TEXT = "# found\naugmentation:\n  flip: {p: 0.3}\n  random-erasing: {}\nsearch: {trials: []}\n"


def read(value) -> dict:
    return build(TrainSettings, [Layer("--{}", {"augmentation": value})]).augmentation


def test_a_file_is_replaced_by_its_augmentation(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT)
    assert read(str(path)) == {"flip": {"p": 0.3}, "random_erasing": {}}
    # names before and after it; a later one replaces an earlier one
    assert read(["mixup", str(path), {"flip": {}}]) == {"mixup": {}, "flip": {}, "random_erasing": {}}
    path.write_text("augmentation: none")
    assert read(str(path)) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "invalid YAML"),
        ("flip: {}", "expected a mapping with the key augmentation"),
        ("augmentation: 3", "augmentation: expected names"),
        ("augmentation: other.yaml", "cannot name other files: other.yaml"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read(str(tmp_path / "policy.yaml"))


def test_a_missing_file_names_the_nearest_and_takes_no_arguments(tmp_path):
    (tmp_path / "policy.yaml").write_text(TEXT)
    with pytest.raises(InputError, match=r"polcy\.yaml: No such file or directory; nearest: policy\.yaml"):
        read(str(tmp_path / "polcy.yaml"))
    with pytest.raises(InputError, match="takes no arguments"):
        read({str(tmp_path / "policy.yaml"): {"p": 1}})
