import numpy as np

from model.evaluation.report.charts import spread, widest
from model.evaluation.report.confusion import LEVELS, MOST_IN_HEAT_MAP, level, make_heat_map, make_matrix
from model.evaluation.report.picture_lists import PictureLists
from model.evaluation.subgroups import Subgroup
from model.labels import Attribute, Scheme
from model.metrics.bootstrap import Interval
from model.metrics.scores import confusion


def of(right: int, pictures: int) -> Subgroup:
    return Subgroup("x", pictures, right, Interval(right / pictures))


def test_groups_of_one_small_size_have_a_bar_for_each_number_of_right_ones():
    bars = spread([of(7, 7), of(7, 7), of(0, 7), of(3, 7)])
    assert [bar.label for bar in bars] == list("01234567")
    assert [bar.count for bar in bars] == [1, 0, 0, 1, 0, 0, 0, 2]
    assert max(bar.height for bar in bars) == 1 and bars[0].height == 0.5


def test_groups_of_other_sizes_have_a_bar_for_each_tenth():
    bars = spread([of(0, 3), of(9, 10), of(10, 10), of(1, 2), of(89, 1000)])
    assert (bars[0].label, bars[5].label, bars[9].label) == ("0–9", "50–59", "90–100")
    assert [bar.count for bar in bars] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]


def test_an_axis_reaches_the_farthest_bound():
    assert widest([Interval(0.1, -0.3, 0.2), Interval(0.05)]) == 0.3
    assert widest([Interval(0.0, 0.0, 0.0)]) == 1


def test_shades_tell_a_small_share_from_none():
    assert [level(share) for share in (0, 0.001, 0.25, 1)] == [0, 1, 5, LEVELS]


def heat_map_cells(paths: dict[int, str]) -> set[tuple[int, int]]:
    found = set()
    for path in paths.values():
        for place in path.split("h1v1h-1z")[:-1]:
            column, row = place.removeprefix("M").split()
            found.add((int(row), int(column)))
    return found


def test_a_heat_map_holds_every_cell_that_is_not_empty():
    generator = np.random.default_rng(0)
    truth, answers = generator.integers(60, size=(2, 300))
    counts = confusion(truth, answers, 60)
    made = make_heat_map(counts, np.bincount(truth, minlength=60))
    assert (made.side, made.block) == (60, 1)
    assert heat_map_cells(made.right) | heat_map_cells(made.wrong) == set(map(tuple, np.argwhere(counts).tolist()))
    assert all(row == column for row, column in heat_map_cells(made.right))


def test_many_classes_are_added_up_in_blocks_and_mistakes_inside_one_are_not_called_right():
    classes = np.arange(2 * MOST_IN_HEAT_MAP)
    neighbours = confusion(classes, classes ^ 1, len(classes))  # each is answered as the other one of its block
    made = make_heat_map(neighbours, np.ones(len(classes), int))
    assert (made.side, made.block) == (MOST_IN_HEAT_MAP, 2) and made.right == made.wrong == {}
    odd = np.arange(2 * MOST_IN_HEAT_MAP + 1)
    made = make_heat_map(confusion(odd, odd, len(odd)), np.ones(len(odd), int))
    assert (made.side, made.block) == (167, 3)
    assert heat_map_cells(made.right) == {(at, at) for at in range(167)}


def test_lists_without_probabilities_come_in_the_order_of_the_truth(make_page):
    scheme = Scheme((Attribute("kind", ("a", "b")),))
    page = make_page(scheme, pictures=60, probabilities=None)
    lists = PictureLists(page.joined)
    make_matrix("kind", scheme, page.evaluation.joint, page.joined.truth, page.joined.answers, lists)
    title, total, order, rows = lists.content({}, set())["lists"]["kind-0-1"]
    assert (title, order) == ("a, answered b", "") and rows == sorted(rows) and len(rows) == min(total, 12)
