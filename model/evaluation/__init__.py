"""Evaluation of answers against the truth: scores with intervals, as a summary, evaluation.json and report.html.

matching: truth and answers side by side, by image name; label_scheme: which classes they have.
evaluate: all scores; subgroups: accuracy by group and by metadata value.
summary: text for a terminal; report/: the HTML page.
files: names of the files that evaluation writes.

Tested by files of other names:
    files: tests/test_evaluation.py
"""
