from __future__ import annotations

import numpy as np

from exploration.data_report.duplicate_order import order_pairs
from exploration.data_report.findings import counted_groups, few_sentences, find
from exploration.data_report.leaks import find_leaks
from exploration.data_report.summary import ClassCount, mixed_groups, target_counts
from exploration.image_statistics import UnusualImage
from exploration.near_duplicates import DuplicatePair
from model.data.content_index import ContentIndex


def sentences(data, pairs=(), unusual=()):
    found = find(data, target_counts(data), mixed_groups(data), find_leaks(data), order_pairs(pairs), unusual)
    return {finding.sentence: finding.section for finding in found}


def test_nothing_to_report(make_table, make_data):
    assert sentences(make_data(make_table({"kind": ["a", "b"] * 20}, range(40)))) == {}


def test_each_fault_has_a_sentence_with_its_numbers(make_table, make_data):
    kinds, groups = ["a", "b"] * 30 + ["c"] * 3, [*range(60), 0, 1, 2]
    genders = ["m"] * 40 + ["f"] * 19 + [""] + ["f", "m", "m"]  # groups 0 to 2 have two images, 0 has both values
    groups += [*range(3, 30), 59]  # most groups have two images
    kinds += ["a"] * 28
    genders += ["m"] * 27 + ["f"]
    count = len(kinds)
    hashes = np.arange(1, 2 * count + 1, dtype=np.uint64).reshape(-1, 2)
    hashes[-1] = hashes[0]
    sides = np.array(["train"] * (count - 1) + ["eval"], dtype=object)
    contents = ContentIndex(hashes, np.zeros(count, bool))
    table = make_table({"kind": kinds, "gender": genders}, groups, contents=contents, sides=sides)
    data = make_data(table, ["train", "eval"], skipped=[("c", "x.jpg", "truncated")] * 3)
    pairs = [
        DuplicatePair((0, 1), 0.9, 0.1, True, False, True),
        DuplicatePair((0, 2), 0.9, 0.1, True, True, True),
        DuplicatePair((3, 4), 0.9, 0.1, True, False, False),
    ]
    unusual = [UnusualImage(1, "dark", 3.0, 9.0, ""), UnusualImage(1, "blurred", 3.0, 9.0, "")]
    assert sentences(data, pairs, [*unusual, UnusualImage(2, "aspect ratio", 3.0, 9.0, "")]) == {
        "1 image of eval is also in train": "leaks",
        "1 person is in both train and eval": "leaks",
        "2 pairs of near-duplicates have different labels": "duplicates",
        "1 pair of near-duplicates is in different splits": "duplicates",
        "1 pair of near-duplicates is of different persons, with the same labels": "duplicates",
        "1 person has more than one value of gender": "labels",
        "1 image has no label of gender": "labels",
        "3 classes have fewer than 10 persons": "few",
        "5 classes have no image in eval": "classes",
        "3 images cannot be read": "broken",
        "1 image is unusual (dark, blurred)": "images",
    }


def test_labels_that_an_evaluation_channel_lacks_are_no_finding(make_table, make_data):
    table = make_table({"kind": ["a", "b"] * 20 + [""] * 4}, range(44))
    object.__setattr__(table, "sides", np.array(["train"] * 40 + ["eval"] * 4, dtype=object))
    assert sentences(make_data(table, ["train", "eval"])) == {}


def test_groups_are_named_by_their_column():
    assert counted_groups("person", 1) == "1 person" and counted_groups("Sender", 2) == "2 senders"
    assert counted_groups("shop", 1200) == "1,200 groups" and counted_groups("", 1) == "1 image"


def test_what_few_groups_mean_for_scores():
    few = [ClassCount(name, [9], [n], 9, n) for name, n in (("a", 1), ("b", 2), ("c", 9), ("d", 2))]
    texts = few_sentences(few, "person")
    assert [(number, names) for number, _, names in texts] == [
        ("1 person", ["a"]),
        ("2 persons", ["b", "d"]),
        ("9 persons", ["c"]),
    ]
    assert "not learned or not scored" in texts[0][1]
    assert "has 1 of them" in texts[1][1] and "by 100\u00a0%" in texts[1][1]
    assert "has 2 of them" in texts[2][1] and "by 50\u00a0%" in texts[2][1]
