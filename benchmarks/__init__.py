"""Benchmarks of the overhead of jobs; see `python -m benchmarks --help`.

__main__: training and inference, compared with the network alone; serving: the server, compared with the predictor
alone; start: time from a command to the first step or response; coverage: coverage of confidence intervals;
label_loop: scores before and after a review of labels; near_duplicates: recall and precision on planted copies.

Tested by files of other names:
    __main__: tests/benchmarks/test_benchmarks.py
"""
