"""Benchmarks; see `python -m benchmarks --help`.

Speed. __main__: training and inference, compared with the network alone; serving: the server, compared with the
predictor alone; start: time from a command to the first step or response; review_page: frame times of the review page
while it scrolls.

Quality. coverage: coverage of the confidence intervals of an evaluation; audit: of those of an audit; suspects: the
share of known wrong labels among the first suspects; label_loop: scores before and after a review of labels;
near_duplicates: recall and precision on planted copies.

Tested by files of other names:
    __main__: tests/benchmarks/test_benchmarks.py
"""
