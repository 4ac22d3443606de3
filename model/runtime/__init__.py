"""The process and the machine that a job runs on.

hardware: device and precision; workers: workers that read images; distributed: processes that train
together; division: work divided among them; heartbeats: signals of processes that others wait for; seeding:
reproducible random numbers; signals: SIGTERM and Ctrl-C during training; terminal: tables and progress bars;
log_lines: the log of a job that a Python program calls.
"""
