"""Files of predictions, which inference writes and evaluation reads: output.csv, probabilities.csv, errors.csv, ...

files: their names and paths; imports no pandas.
predictions: predictions.csv and the table on the terminal, with class names and probabilities.
write, read: write tables of predictions batch by batch; read tables of predictions, true classes and probabilities.
labels_json: labels.json next to predictions, with the label scheme and the provenance.
seen_images: images that were used to train the model, learnt_from.csv.
parts, joined_parts: predictions of some of the rows, kept if a job is stopped, and joining them.
average: `python -m model join`, the weighted mean of earlier probabilities.
served: `python -m model transform`, the output of a batch transform.

Tested by files of other names:
    parts, joined_parts: tests/bulk_inference/test_parts.py
"""
