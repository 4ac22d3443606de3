"""Saved models and ensembles: the folders that training ends with and that inference, evaluation and serving load.

files, ensemble_file, metadata, provenance: the files in these folders. discovery: finds a model.
saved_model, ensemble: save and load models without the network, which a backend reads (model.prediction).
model_card: writes README.md. fingerprint: a hash of what predictions depend on.
verify: checks that a model is complete. archive: packs model.tar.gz. combine: `python -m model ensemble`.
"""
