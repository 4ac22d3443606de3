from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from exploration.data_report.embedding_map import EmbeddingMap, make_map
from exploration.data_report.grids import Sheets
from exploration.data_report.map_content import NO_LABEL, OTHER, colourings, map_content, neighbour_table

NO_SHEETS = Sheets(0, 32, [], [])


@pytest.fixture(scope="module")
def data(make_table, make_data):
    generator = np.random.default_rng(0)
    labels = {
        "kind": generator.choice(["b", "a", ""], 300).tolist(),
        "colour": generator.choice(list("xy"), 300).tolist(),
    }
    labels["kind"][:2] = ["b", "a"]  # the order of the values is not that of the alphabet
    columns = {
        "site": generator.choice(["north", "south"], 300),
        "kind": generator.choice(["1", "2"], 300),
        "id": [str(row) for row in range(300)],
        "constant": ["same"] * 300,
        "many": [str(row % 70) for row in range(300)],
    }
    table = make_table(labels, generator.integers(50, size=300), metadata=pd.DataFrame(columns, dtype="str"))
    object.__setattr__(table, "sides", generator.choice(np.array(["train", "validation"], dtype=object), 300))
    return make_data(table, ["train", "validation"])


@pytest.fixture(scope="module")
def found(data):
    features = np.random.default_rng(1).normal(size=(300, 16)).astype(np.float32)
    return make_map(features, data.table.classes(), 290)


def test_points_have_their_values(data, found):
    content = map_content(data, found, NO_SHEETS)
    frame = data.table.frame()
    assert content["paths"] == frame["path"][found.rows].tolist()
    assert content["groups"] == frame["group"][found.rows].tolist() and content["grouped"] == "person"
    assert max(content["x"] + content["y"]) == content["steps"] and min(content["x"] + content["y"]) == 0
    by_name = {one["name"]: [one["values"][code] for code in one["codes"]] for one in content["colours"]}
    assert list(by_name) == ["kind", "colour", "All attributes together", "split", "site", "metadata kind", "many"]
    assert by_name["kind"] == frame["kind"][found.rows].replace("", NO_LABEL).tolist()
    assert by_name["split"] == data.table.sides[found.rows].tolist()
    assert by_name["metadata kind"] == data.table.metadata["kind"][found.rows].tolist()
    kind = content["colours"][0]
    assert kind["values"] == [*data.table.scheme.attributes[0].values, NO_LABEL] and kind["none"] == 2
    assert content["colours"][1]["none"] == -1


def test_rare_values_are_joined(data, found):
    name, values, codes = next(one for one in colourings(data, found.rows) if one[0] == "many")
    texts = data.table.metadata["many"].to_numpy()[found.rows]
    frequent = {text for text, _ in Counter(texts).most_common(60)}
    assert len(values) == 61 and values[-1] == OTHER and name == "many"
    assert [values[code] for code in codes] == [text if text in frequent else OTHER for text in texts]


def test_the_neighbours_of_a_class_are_those_of_a_plain_count(data, found):
    classes = data.table.classes()
    names = data.table.scheme.class_names
    shares = {name: [] for name in names}
    for at, row in enumerate(found.rows):
        others = [found.rows[near] for near in found.neighbours[at]]
        others = [one for one in others if data.table.groups[one] != data.table.groups[row] and classes[one] >= 0]
        if classes[row] >= 0 and others:
            counts = Counter(names[classes[one]] for one in others)
            shares[names[classes[row]]].append({name: counts[name] / len(others) for name in names})
    rows = neighbour_table(data, found, names, classes)
    assert [row.same for row in rows] == sorted(row.same for row in rows) and len(rows) == len(names)
    for row in rows:
        means = {name: np.mean([own[name] for own in shares[row.name]]) for name in names}
        assert row.images == len(shares[row.name]) and row.same == pytest.approx(means.pop(row.name))
        assert row.other_share == pytest.approx(max(means.values())) == pytest.approx(means[row.other])


def test_a_map_without_neighbours_has_no_table(data):
    rows = np.arange(2)
    empty = EmbeddingMap(rows, np.zeros((2, 2), np.float32), np.empty((2, 0), np.int64))
    assert neighbour_table(data, empty, data.table.scheme.class_names, data.table.classes()) == []
    assert len(map_content(data, empty, NO_SHEETS)["x"]) == 2
