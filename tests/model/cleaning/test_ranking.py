"""The cap per class, and the order of suspects."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.cleaning.ranking import ranked, within_cap
from model.cleaning.suspects import IMAGE, Suspect


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), min_size=1, max_size=300),
    st.floats(0, 1),
    st.integers(0, 120),
)
def test_no_class_is_emptied_and_the_highest_scores_stay(units, share, kept):
    codes, scores = np.array([code for code, _ in units]), np.array([score for _, score in units])
    allowed = within_cap(scores, codes, share, kept)
    for code in np.unique(codes):
        own = codes == code
        limit = max(int(share * own.sum() + 1e-9), own.sum() - kept, min(1, own.sum() - 1) if share else 0)
        assert allowed[own].sum() == min(limit, own.sum())
        if allowed[own].any() and not allowed[own].all():
            assert scores[own & allowed].min() >= scores[own & ~allowed].max()


def test_by_default_a_rare_class_loses_a_fifth_or_one_and_a_common_one_keeps_a_hundred():
    codes = np.repeat([0, 1, 2, 3], [500, 28, 4, 1])
    allowed = within_cap(np.ones(len(codes)), codes)
    assert np.bincount(codes[allowed], minlength=4).tolist() == [400, 5, 1, 0]


def test_suspects_of_all_attributes_are_ordered_by_score_without_duplicates():
    def suspect(row: int, attribute: str, score: float) -> Suspect:
        return Suspect((row,), IMAGE, attribute, "a", "b", score, "")

    found = ranked([suspect(0, "x", 0.2), suspect(1, "y", 0.9), suspect(0, "x", 0.5), suspect(0, "y", 0.4)], 0)
    assert [(one.rows[0], one.attribute, one.score) for one in found] == [(1, "y", 0.9), (0, "x", 0.5), (0, "y", 0.4)]
    assert ranked(found, 2) == found[:2]
