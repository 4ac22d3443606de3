"""The network: a timm backbone with one or several classifiers.

backbone: timm's networks, their names and preprocessing; network: the module; tensors: inputs of its forward; heads:
what its outputs mean, without torch; classifiers: the layers of heads; adapters: small layers in a frozen backbone;
pooling: attention over a feature map; layers: timm's groups of parameters; fusion: embeddings of metadata;
probabilities: joint probabilities from its
outputs; freezing: parameters that are not trained; gradcam: which part of an image a class depends on.
"""
