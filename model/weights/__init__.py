"""The weights that a network starts from.

weights_file: reads .safetensors and .pth files and saved models; initial_weights: loads them into a network;
classifier_rows: matches the classifiers of a saved model by class name.
"""
