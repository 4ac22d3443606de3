"""Single images, from bytes to the network's input.

image_location (where the bytes lie), decode (to an upright 8-bit image), preprocessing (to the input size), tta (views
at prediction), pipeline (what is saved with a model: from views to inputs), inputs (the arrays that a network takes).
Imports no torch.
"""
