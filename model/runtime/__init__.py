"""The process and the machine that a job runs on.

hardware (device, precision), workers (how many read images), distributed (processes that train together), seeding
(reproducible random numbers), signals (SIGTERM and Ctrl-C during training), terminal (tables and progress bars).
"""
