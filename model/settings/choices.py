"""The names that settings choose among, read by flags and --help without torch.

What they stand for: decisions in model.decisions, losses in model.training.losses, layouts in
model.data.readers.detect, interpolations in model.images.preprocessing, precisions in model.runtime.hardware.
"""

from __future__ import annotations

# Training
LOSSES = ("focal", "cross_entropy", "label_smoothing", "f1", "bce")
CLASS_WEIGHTS = ("none", "inverse", "effective", "given")

# Target
DECISIONS = {"argmax": "the class of the highest log p / temperature + bias, by default the most probable"}

# Data and images
LAYOUTS = ("auto", "csv", "profiles", "classes", "lst", "manifest")
FITS = ("crop", "stretch", "pad")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")

# Machine
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# Serving: media types of the answers, with ;verbose names beside the probabilities
ACCEPTS = ("application/json", "application/json;verbose", "application/jsonlines", "text/csv")
