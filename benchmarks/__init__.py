"""Benchmarks of what a job costs beside the work that it cannot avoid; `python -m benchmarks --help`.

__main__ measures training and inference beside the network alone, serving the server beside the predictor, start the
time from a command to the first step or answer.

Tested by files of other names:
    __main__: tests/benchmarks/test_benchmarks.py
"""
