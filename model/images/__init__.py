"""Single images, from bytes to the network's input.

image_location (where the bytes lie), decode (to an upright 8-bit image), preprocessing (to the input size, normalised),
augmentation (random changes in training), tta (views at prediction).
"""
