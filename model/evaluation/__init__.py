"""Evaluation of answers against the truth: scores with intervals, as a summary, evaluation.json and report.html.

truth: the truth in any layout that training reads; matching: truth and answers side by side, by image name;
label_scheme: which classes they have.
evaluate: all scores; subgroups: accuracy by group and by metadata value; coverage: accuracy of the surest answers.
suspects: lists of single images, suspected label errors and what two models answer differently.
summary: text for a terminal; report/: the HTML page.
files: names of the files that evaluation writes.

Tested by files of other names:
    files: tests/test_evaluation.py
"""
