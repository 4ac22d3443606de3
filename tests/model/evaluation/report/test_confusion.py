import numpy as np

from model.evaluation.report.confusion import LEVELS, MOST_IN_HEAT_MAP, level, make_heat_map
from model.metrics.scores import confusion


def test_a_small_share_has_a_visible_shade():
    assert [level(share) for share in (0, 0.001, 0.25, 1)] == [0, 1, 5, LEVELS]


def heat_map_cells(paths: dict[int, str]) -> set[tuple[int, int]]:
    result = set()
    for path in paths.values():
        for place in path.split("h1v1h-1z")[:-1]:
            column, row = place.removeprefix("M").split()
            result.add((int(row), int(column)))
    return result


def test_a_heat_map_has_every_nonempty_cell():
    generator = np.random.default_rng(0)
    truth, answers = generator.integers(60, size=(2, 300))
    counts = confusion(truth, answers, 60)
    made = make_heat_map(counts, np.bincount(truth, minlength=60))
    assert (made.side, made.block) == (60, 1)
    assert heat_map_cells(made.right) | heat_map_cells(made.wrong) == set(map(tuple, np.argwhere(counts).tolist()))
    assert all(row == column for row, column in heat_map_cells(made.right))


def test_many_classes_are_added_up_in_blocks_without_the_mistakes_inside_a_block():
    classes = np.arange(2 * MOST_IN_HEAT_MAP)
    neighbours = confusion(classes, classes ^ 1, len(classes))  # each is answered as the other one of its block
    made = make_heat_map(neighbours, np.ones(len(classes), int))
    assert (made.side, made.block) == (MOST_IN_HEAT_MAP, 2) and made.right == made.wrong == {}
    odd = np.arange(2 * MOST_IN_HEAT_MAP + 1)
    made = make_heat_map(confusion(odd, odd, len(odd)), np.ones(len(odd), int))
    assert (made.side, made.block) == (167, 3)
    assert heat_map_cells(made.right) == {(at, at) for at in range(167)}
