"""The names that settings choose among, and of a section of --help; flags and --help read them without torch.

Their implementations: losses in model.training.losses, class weights in model.training.class_weights, samplers in
model.data.sampling, decisions in model.decisions, layouts in model.data.readers.detect, interpolations in
model.images.preprocessing, precisions in model.runtime.hardware. The mappings are from names to meanings; a name that
is added to one becomes a choice of its setting.
"""

from __future__ import annotations

# Sections of --help-all
PATHS, IMAGES = "Inputs and outputs", "Images"

# Training
SAMPLERS = {
    "imbalanced": "torchsampler's ImbalancedDatasetSampler",
    "sqrt": "torchsampler's ImbalancedDatasetSampler with sampler_strength 0.5",
    "none": "every image once",
}
LOSSES = {
    "focal": "cross entropy with less weight for images that are predicted correctly with high probability",
    "cross_entropy": "cross entropy",
    "label_smoothing": "cross entropy with smoothed labels",
    "f1": "1 - macro F1 of the batch, computed from probabilities",
    "bce": "binary cross entropy, for an attribute of two values; the head has one output",
}
CLASS_WEIGHTS = {
    "none": "all classes have the same weight",
    "inverse": "1 / class count",
    "effective": "1 / effective number of samples (Cui et al., CVPR 2019)",
    "given": "the values of class_weight_values",
}

# Images in reports
THUMBNAILS = {
    "none": "names and labels only",
    "blurred": "at most 8 pixels per side",
    "full": "thumbnails",
}

# Target
SEPARATE = "separate"  # one model per attribute; the other targets are in model.labels
DECISIONS = {
    "argmax": "the class with the highest log p / temperature + bias (without arguments, the most probable class)",
    "ask": "as argmax, and predictions advise to ask a person unless the probability of the predicted class is above "
    "its threshold (docs/decisions.md)",
}

# Data and images
LAYOUTS = ("auto", "csv", "profiles", "classes", "lst", "manifest", "list", "files")
ALL_LEVELS, NO_LEVEL = "all", "_"  # in folder_levels: the whole path is the label; a level to ignore
FITS = ("crop", "stretch", "pad")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")

# Machine
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# Serving: media types of responses; ;verbose adds names to the probabilities
ACCEPTS = ("application/json", "application/json;verbose", "application/jsonlines", "text/csv")
