"""Answers, the files that inference writes and evaluation reads: output.csv, probabilities.csv, errors.csv, and so on.

files: their names and where they lie; no pandas.
predictions: names and probabilities for people, predictions.csv and the table of single files.
write, read: tables of answers, true classes and probabilities, batch by batch and whole.
labels_json: the label scheme and the provenance beside answers.
parts, joined_parts: answers of a part of the rows, which outlast a job that is stopped, and their joining.
average: `python -m model join`, the weighted mean of earlier probabilities.

Tested by files of other names:
    parts, joined_parts: tests/bulk_inference/test_parts.py
"""
