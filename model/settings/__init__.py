"""Settings of the jobs as typed, documented fields.

train, inference, serve and evaluation (the settings of each job; prediction has those that inference and serve share,
channel, loss, network and fusion those of train for reading the channels, for sampling and loss, for the network and
its images, and for metadata that the network reads), choices (names that settings choose among), checks (of single
values), fields (declaring and building settings), nested (names inside settings that are mappings), decode (values from
text), cli (flags and --help), aliases (names of other systems), experiment_file (the YAML files of settings),
readme_table (the tables of the documents).

Tested by files of other names:
    inference, serve: tests/model/settings/test_prediction.py
    network: tests/model/settings/test_train.py
    evaluation, choices: tests/model/settings/test_jobs.py
    readme_table: tests/test_documents.py
"""
