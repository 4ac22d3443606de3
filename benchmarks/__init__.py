"""Benchmarks, run by hand; none of them is a test. `python -m benchmarks`: training and inference against the network
alone; serving: the HTTP server under load; start: how long the jobs take to start.

Tested by files of other names:
    __main__, serving: tests/benchmarks/test_benchmarks.py
"""
