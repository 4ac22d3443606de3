"""Saved models and ensembles: the folders that training ends with and that inference, evaluation and serving load.

files, ensemble_file, metadata, provenance: what the folders hold; discovery finds a model.
saved_model, ensemble: saving and loading, all but the network, which its backend reads (model.prediction);
model_card writes their README.md.
fingerprint: what a model's answers depend on.
verify checks that a model is whole; archive packs it as model.tar.gz; combine is `python -m model ensemble`.
"""
