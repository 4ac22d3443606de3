"""Evaluation of predictions against true labels: scores with intervals, a summary, evaluation.json and report.html.

truth: true labels in any layout that training reads; answer_tables: reads them and the predictions; picture_names:
matches image names; matching: true labels and predictions of the same images; label_scheme: their classes;
truth_groups: their groups, such as persons.
targets: the joint class and the attributes; evaluate: all scores; reliability: mean probability and accuracy by
confidence; interval_notes, score_notes: notes on the intervals and on the scores; subgroups: accuracy by group and by
metadata value; coverage: accuracy of the most confident predictions.
suspects: lists of single images: suspected label errors, and differences between two models.
mixture_weights, ensemble_weights: weights of an ensemble that maximise the likelihood of its probabilities.
summary: text for the terminal; report/: the HTML page.
files: names of the files that evaluation writes; score_files: scores read from them.

Tested by files of other names:
    files: tests/test_evaluation.py
    answer_tables: tests/model/evaluation/test_matching.py
"""
