"""Embeddings: penultimate features of images, computed once and cached by image content, backbone and preprocessing.

cache (features on the disk), extractor (computes them; the only module here that imports torch), embed (the features of
a channel's images: those in the cache, and those that are computed and added to it).
"""
