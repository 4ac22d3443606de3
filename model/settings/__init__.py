"""Settings of the jobs as typed, documented fields.

train, inference, serve and evaluation (the settings of each job; prediction holds what inference and serve share,
channel what train reads), choices (names that settings choose among), checks (of single values), fields (declaring and
building settings), nested (names inside settings that are mappings), decode (values from text), cli (flags and --help),
aliases (names of other systems), readme_table (the tables in README.md).

Tested by files of other names:
    inference, serve: tests/model/settings/test_prediction.py
    evaluation, choices: tests/model/settings/test_jobs.py
    readme_table: tests/test_documents.py
"""
