import numpy as np
import pandas as pd
import pytest

from model.errors import InputError
from model.prediction.frames import prediction_files, truth_file, without_shared_folder

FRAME = pd.DataFrame(
    {
        "picture": ["/data/eval/cat/1.jpg", "/data/eval/dog/2.jpg"],
        "class": pd.array([1, pd.NA], dtype="Int64"),
        "name": ["dog", ""],
        "error": ["", "no such file"],
        "cat": np.float32([0.25, np.nan]),
        "dog": np.float32([0.75, np.nan]),
    }
)


def test_the_files_have_the_class_and_the_probabilities_of_each_image(tmp_path):
    frame = FRAME.copy()
    frame.attrs["num_classes"] = 2
    assert prediction_files(frame.assign(probability=np.float32([0.75, 0])), tmp_path) == tmp_path / "output.csv"
    assert (tmp_path / "output.csv").read_text() == "ImageID,ans\ncat/1.jpg,1\ndog/2.jpg,\n"
    assert (tmp_path / "probabilities.csv").read_text() == "ImageID,cat,dog\ncat/1.jpg,0.25,0.75\ndog/2.jpg,,\n"


def test_without_attrs_all_columns_behind_the_error_are_probabilities(tmp_path):
    prediction_files(FRAME, tmp_path)
    assert (tmp_path / "probabilities.csv").read_text().startswith("ImageID,cat,dog\n")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/b/1.jpg", "a/b/2.jpg"], ["1.jpg", "2.jpg"]),
        (["a/b/1.jpg", "a/c/2.jpg", "a/d.jpg"], ["b/1.jpg", "c/2.jpg", "d.jpg"]),
        (["a/bc/1.jpg", "a/bd/1.jpg"], ["bc/1.jpg", "bd/1.jpg"]),
        (["0", "1"], ["0", "1"]),
        (["/a/1.jpg"], ["1.jpg"]),
        ([], []),
    ],
)
def test_names_lack_the_folder_that_all_images_share(paths, names):
    assert without_shared_folder(paths) == names


def test_a_frame_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="predictions: no column class, error; expected the columns"):
        prediction_files(FRAME[["picture", "name"]], tmp_path)
    with pytest.raises(InputError, match="no columns of probabilities"):
        prediction_files(FRAME[["picture", "class", "error"]], tmp_path)


def test_a_truth_is_a_table_without_its_index(tmp_path):
    path = truth_file(pd.DataFrame({"ImageID": ["1.jpg"], "ans": ["cat"]}), tmp_path)
    assert path.name == "gt.csv" and path.read_text() == "ImageID,ans\n1.jpg,cat\n"
