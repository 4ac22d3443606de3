"""The Python examples of docs/python.md, run in order on drawn data. Stand-ins replace Ray and Spark."""

from __future__ import annotations

import re
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.M | re.S)
# in place of the defaults, whose weights are downloaded
CONFIG = "{model: test_resnet, pretrained: false, input_size: [32, 24], num_workers: 0, device: cpu, tracking: none}"


class Files:
    """Files of a folder: a data set of Ray and a DataFrame of Spark, with one batch."""

    def __init__(self, columns: dict[str, np.ndarray]):
        self.columns = columns
        self.write = types.SimpleNamespace(parquet=self.write_parquet)

    @classmethod
    def read(cls, folder: str, content: str) -> Files:
        paths = sorted(Path(folder).iterdir())
        contents = np.array([path.read_bytes() for path in paths] + [None], dtype=object)[:-1]
        return cls({"path": np.array([str(path) for path in paths]), content: contents})

    def map_batches(self, cls: type, *, fn_constructor_args: list, batch_size: int, **resources: int) -> Files:
        assert resources.keys() == {"concurrency", "num_gpus"} and batch_size
        return Files(cls(*fn_constructor_args)(self.columns))

    def select(self, name: str, predicted: tuple) -> Files:
        function, column = predicted
        (frame,) = function(iter([pd.Series(self.columns[column])]))
        return Files({name: self.columns[name], **{key: frame[key].to_numpy() for key in frame}})

    def write_parquet(self, folder: str) -> None:
        lengths = {len(values) for values in self.columns.values()}
        assert len(lengths) == 1
        pd.DataFrame(self.columns).to_csv(Path(folder).with_suffix(".csv"), index=False)


class Predicted:
    """What pandas_udf makes of a function; calling it names the column, as it does in Spark."""

    def __init__(self, function):
        self.function = function

    def __call__(self, column: str) -> Predicted:
        self.column = column
        return self

    def alias(self, name: str) -> tuple:
        return self.function, self.column


@pytest.fixture
def stand_ins(monkeypatch):
    """Modules ray and pyspark with what the document uses of them."""
    data = types.SimpleNamespace(read_binary_files=lambda folder, include_paths: Files.read(folder, "bytes"))
    formats = types.SimpleNamespace(load=lambda folder: Files.read(folder, "content"))
    read = types.SimpleNamespace(format=lambda name: formats)
    builder = types.SimpleNamespace(getOrCreate=lambda: types.SimpleNamespace(read=read))
    modules = {
        "ray": {"data": data},
        "pyspark": {},
        "pyspark.sql": {"SparkSession": types.SimpleNamespace(builder=builder)},
        "pyspark.sql.functions": {"pandas_udf": lambda schema: Predicted},
    }
    for name, contents in modules.items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)


def test_the_examples_run_in_their_order(faces, stand_ins, capsys):
    shutil.copytree(faces, "data")
    Path("data/eval/images/broken.jpg").write_bytes(b"no image")
    Path("config.yaml").write_text(CONFIG)
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
        if "import ray" in block or "pyspark" in block:
            answers = pd.read_csv("predictions.csv", keep_default_na=False).set_index("path")
            Path("predictions.csv").unlink()
            expected = names["frame"].assign(path=names["frame"]["picture"].astype(str)).set_index("path")
            assert answers["name"].equals(expected["name"]) and answers["error"].equals(expected["error"])
            assert answers.loc["data/eval/images/broken.jpg", "error"]
    assert "epocs: there is no such setting; nearest: epochs" in capsys.readouterr().out
    assert names["result"].path == Path("runs/faces")
    assert names["result"].report == Path("runs/faces.validation/report.html")
    assert names["evaluation"].report == Path("scores/report.html") and names["evaluation"].report.is_file()
    assert names["frame"]["probability"].dropna().between(1 / 18, 1).all()


def test_the_document_has_examples_of_ray_and_of_spark():
    assert len(BLOCKS) >= 7 and sum("import ray" in block for block in BLOCKS) == 1
    assert sum("pandas_udf" in block for block in BLOCKS) == 1
