"""Label cleaning: finds labels that are probably wrong, and estimates how many are. Imports no torch.

detection finds the suspects of all attributes. Their evidence (evidence) comes from nearest neighbours (neighbours), a
linear probe (probe), regressions of numbers (numeric) and out-of-fold predictions (predicted). noise_model computes the
probability that a label is wrong, grouped judges the images of a group together, ranking caps
and orders the suspects, and suspects reads and writes suspects.csv.

agreement selects the changes of `train.py --clean`, with calibrated predictions (temperature). audit estimates how many
labels are wrong from a reviewed sample; verdicts are what reviewers decided.

Tested by files of other names:
    evidence: tests/model/cleaning/test_detection.py
"""
