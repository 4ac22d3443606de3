"""The schedule of a search, and successive halving with scores that are known."""

import pytest

from model.training.search.halving import Schedule, make_schedule, promoted, successive_halving


def test_the_cost_counts_every_training():
    schedule = Schedule(9, (1, 3))
    assert schedule.sizes == [9, 4] and schedule.cost == 9 * 1 + 4 * 3 + 2 * 2 * 3
    assert [promoted(size) for size in (2, 3, 9, 28)] == [2, 2, 4, 11]


@pytest.mark.parametrize("affordable", [8, 13, 30, 60, 150, 400, 3000])
def test_the_schedule_is_affordable_and_no_longer_one_is(affordable):
    schedule = make_schedule(28, 20, affordable)
    assert schedule.cost <= affordable and schedule.epochs[-1] <= 20
    if schedule.epochs[-1] < 20 and schedule.candidates >= 9:  # with one more epoch, even few candidates cost more
        longer = schedule.epochs[-1] + 1
        epochs = [longer // divisor for divisor in (9, 3, 1) if longer >= divisor]
        assert Schedule(9, tuple(epochs)).cost > affordable
    if schedule.candidates < 28:
        assert Schedule(schedule.candidates + 1, schedule.epochs).cost > affordable


def test_more_time_gives_longer_trainings_of_more_candidates():
    schedules = [make_schedule(28, 20, affordable) for affordable in (8, 30, 100, 300, 3000)]
    assert [one.epochs[-1] for one in schedules] == sorted(one.epochs[-1] for one in schedules)
    assert schedules[0] == Schedule(4, (1,)) and schedules[-1] == Schedule(28, (2, 6, 20))
    assert make_schedule(28, 20, 0) == Schedule(2, (1,))


def recorded(quality: dict[str, float], most: int = 10**6):
    """A score function, and the list of its calls; it returns None after `most` calls."""
    calls: list[tuple[str, int, int]] = []

    def score(name: str, rung: int, epochs: int) -> float | None:
        calls.append((name, rung, epochs))
        return None if len(calls) > most else quality[name] * epochs

    return score, calls


def test_the_best_third_and_the_current_one_go_on():
    quality = {"current": 0.0, **{str(number): number / 10 for number in range(1, 9)}}
    score, calls = recorded(quality)
    ranking = successive_halving(list(quality), Schedule(9, (1, 3, 9)), score)
    by_rung = [[name for name, at, _ in calls if at == rung] for rung in range(3)]
    assert by_rung == [list(quality), ["current", "8", "7", "6"], ["current", "8", "7"]]
    assert {epochs for _, rung, epochs in calls if rung == 1} == {3} and ranking == ["8", "7", "current"]


def test_an_interrupted_rung_leaves_the_ranking_of_the_one_before():
    quality = {"current": 0.0, **{str(number): number / 10 for number in range(1, 9)}}
    score, _ = recorded(quality, most=10)
    assert successive_halving(list(quality), Schedule(9, (1, 3)), score)[:2] == ["8", "7"]
    score, _ = recorded(quality, most=3)  # the first rung: what there is
    assert successive_halving(list(quality), Schedule(9, (1, 3)), score) == ["2", "1", "current"]
    score, _ = recorded(quality, most=1)
    assert successive_halving(list(quality), Schedule(9, (1, 3)), score) == []


def test_ties_keep_the_order_so_that_the_current_one_wins():
    score, _ = recorded({"current": 0.5, "a": 0.5, "b": 0.5})
    assert successive_halving(["current", "a", "b"], Schedule(3, (1,)), score) == ["current", "a", "b"]
