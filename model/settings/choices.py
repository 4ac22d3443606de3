"""The names that settings choose among, read by flags and --help without torch.

What they stand for: losses in model.training.losses, class weights in model.training.class_weights, samplers in
model.data.sampling, decisions in model.decisions, layouts in model.data.readers.detect, interpolations in
model.images.preprocessing, precisions in model.runtime.hardware. The mappings are of names to meanings; a name that is
added to one is a choice of its setting.
"""

from __future__ import annotations

# Training
SAMPLERS = {
    "imbalanced": "torchsampler's ImbalancedDatasetSampler",
    "sqrt": "the same at strength 0.5",
    "none": "every image once",
}
LOSSES = {
    "focal": "cross entropy in which images that are answered right with confidence count less",
    "cross_entropy": "cross entropy of the classes",
    "label_smoothing": "cross entropy with a share of the target spread over all classes",
    "f1": "1 - macro F1 of a batch, from probabilities",
    "bce": "cross entropy of an attribute of two values, from one output",
}
CLASS_WEIGHTS = {
    "none": "all classes alike",
    "inverse": "of class counts",
    "effective": "of the effective number of samples, CVPR 2019",
    "given": "class_weight_values",
}

# Images in reports
THUMBNAILS = {
    "none": "names and labels only",
    "blurred": "reduced to at most 8 pixels a side",
    "full": "readable ones",
}

# Target
SEPARATE = "separate"  # a model for each attribute; other targets are those of model.labels
DECISIONS = {"argmax": "the class of the highest log p / temperature + bias, by default the most probable"}

# Data and images
LAYOUTS = ("auto", "csv", "profiles", "classes", "lst", "manifest", "list", "files")
ALL_LEVELS, NO_LEVEL = "all", "_"  # in folder_levels: all levels together are the label; a level that is no label
FITS = ("crop", "stretch", "pad")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")

# Machine
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# Serving: media types of the answers, with ;verbose names beside the probabilities
ACCEPTS = ("application/json", "application/json;verbose", "application/jsonlines", "text/csv")
