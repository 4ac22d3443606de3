"""Search for an augmentation: short trainings of candidates on a part of the training images, by successive halving.

candidates: the policies and strengths; halving: which candidate is trained for how many epochs; trials: one short
training, and the comparison of two; policy: the file with the result; command: `python -m model search-augmentation`.
"""
