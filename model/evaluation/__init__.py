"""Evaluation of answers against the truth: scores with intervals, as a summary, evaluation.json and report.html.

truth: the truth in any layout that training reads; answer_tables: it and the answers as they are read; picture_names:
which names mean one image; matching: truth and answers side by side; label_scheme: which classes they have.
targets: what is scored; evaluate: all scores; subgroups: accuracy by group and by metadata value; coverage: accuracy of
the surest answers.
suspects: lists of single images, suspected label errors and what two models answer differently.
summary: text for a terminal; report/: the HTML page.
files: names of the files that evaluation writes.

Tested by files of other names:
    files: tests/test_evaluation.py
    answer_tables: tests/model/evaluation/test_matching.py
"""
