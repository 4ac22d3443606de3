"""The network: a timm backbone with one or several classifiers on it.

backbone (timm's networks, their names and preprocessing), network (the module), tensors (what its forward takes), heads
(what its outputs mean, without torch), probabilities (of its outputs as tensors), freezing (parameters that are not
trained).
"""
