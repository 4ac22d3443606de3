"""Tools for data, runs and scores: `python -m exploration SUBCOMMAND`, one module per subcommand.

demo: draws a data set; portrait draws one face. runs: lists trainings; run_records reads them, runs_table formats them.
scores: prints an evaluation.
report: writes a page about the data, from data_report.

Tested by files of other names:
    __main__: tests/exploration/test_main.py
    run_records: tests/exploration/test_runs.py
"""
