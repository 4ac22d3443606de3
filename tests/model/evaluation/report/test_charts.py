from model.evaluation.report.charts import accuracy_histogram, axis_limit
from model.evaluation.subgroups import Subgroup
from model.metrics.bootstrap import Interval


def group(right: int, pictures: int) -> Subgroup:
    return Subgroup("x", pictures, right, Interval(right / pictures))


def test_groups_of_one_small_size_have_a_bar_for_each_number_of_right_ones():
    bars = accuracy_histogram([group(7, 7), group(7, 7), group(0, 7), group(3, 7)])
    assert [bar.label for bar in bars] == list("01234567")
    assert [bar.count for bar in bars] == [1, 0, 0, 1, 0, 0, 0, 2]
    assert max(bar.height for bar in bars) == 1 and bars[0].height == 0.5


def test_groups_of_other_sizes_have_a_bar_for_each_tenth():
    bars = accuracy_histogram([group(0, 3), group(9, 10), group(10, 10), group(1, 2), group(89, 1000)])
    assert (bars[0].label, bars[5].label, bars[9].label) == ("0–9", "50–59", "90–100")
    assert [bar.count for bar in bars] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]


def test_an_axis_reaches_the_farthest_bound():
    assert axis_limit([Interval(0.1, -0.3, 0.2), Interval(0.05)]) == 0.3
    assert axis_limit([Interval(0.0, 0.0, 0.0)]) == 1
