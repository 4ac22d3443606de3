"""The names that settings choose among, and of a section of --help; flags and --help read them without torch.

Their implementations: losses in model.training.losses, class weights in model.training.class_weights, samplers in
model.data.sampling, decisions in model.decisions, layouts in model.data.readers.detect, interpolations in
model.images.preprocessing, precisions in model.runtime.hardware. The mappings are from names to meanings; a name that
is added to one becomes a choice of its setting.
"""

from __future__ import annotations

# Sections of --help-all
PATHS, IMAGES, METADATA = "Inputs and outputs", "Images", "Metadata"

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
    "logit_adjustment": "cross entropy of logits + tau log(share of the class among the drawn images)",
    "elr": "cross entropy with early-learning regularisation, against wrong labels (Liu et al., NeurIPS 2020)",
    "f1": "1 - macro F1 of the batch, computed from probabilities",
    "bce": "binary cross entropy, for an attribute of two values; the head has one output",
}
CLASS_WEIGHTS = {
    "none": "all classes have the same weight",
    "inverse": "1 / class count",
    "effective": "1 / effective number of samples (Cui et al., CVPR 2019)",
    "given": "the values of class_weight_values",
}

# Network
CLASSIFIERS = {
    "linear": "a linear layer with bias",
    "cosine": "the cosine between features and a vector of each class, times a scale",
}
CLASSIFIER_STARTS = {
    "random": "small random weights",
    "class_means": "the mean of the normalised features of the training images of each class",
}
POOLINGS = {
    "default": "as in the backbone",
    "attention": "an average over the positions with learned weights",
}
ADAPTERS = {
    "none": "no adapters",
    "adaptformer": "a bottleneck parallel to the MLP of each block",
    "lora": "a low-rank update of the layers qkv and proj of each attention",
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

# Metadata as an input of the network
NO_FUSION, CONCAT, METADATA_ONLY = "none", "concat", "metadata"
FUSIONS = {
    NO_FUSION: "only the image",
    CONCAT: "the classifier reads the image's features and an embedding of each column",
    METADATA_ONLY: "only the metadata; the pixels are ignored, to measure what the metadata alone predict",
}
MISSING_METADATA = ("error", "unknown")

# Machine
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# Serving: media types of responses; ;verbose adds names to the probabilities
ACCEPTS = ("application/json", "application/json;verbose", "application/jsonlines", "text/csv")
