"""The simulation of audits: 100 per scenario; docs/exploration.md has the results of more."""

import pytest

from benchmarks.audit import ESTIMATES, Scenario, coverage, main

RATES = (0, 0.005, 0.02, 0.09, 0.3)


@pytest.mark.parametrize(("rate", "quality"), [(0.09, 0.8), (0.02, 0.2)])
def test_at_least_90_of_100_intervals_contain_the_truth(rate, quality):
    results = coverage(Scenario(700, rate, quality, reviewed=0.2), audits=100, sampled=100, seed=0)
    assert set(results) == set(ESTIMATES) and all(share >= 0.9 for share, _ in results.values())


@pytest.mark.long
@pytest.mark.parametrize("groups", [150, 700, 20_000])
def test_the_same_for_all_populations_rates_and_reviews(groups):
    for rate in RATES:
        for quality in (0.2, 0.8, 0.95):
            results = coverage(Scenario(groups, rate, quality, reviewed=0.2), audits=100, sampled=100, seed=1)
            low = {name: share for name, (share, _) in results.items() if share < 0.9}
            assert not low, (groups, rate, quality)


def test_the_table_has_a_row_per_scenario(capsys):
    assert main(["--audits", "2", "--sampled", "20", "--populations", "30", "--rates", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "2 audits of 20 groups per scenario" in printed and len(printed.strip().splitlines()) == 1 + 2 + 3
