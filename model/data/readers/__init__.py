"""Layouts of a channel. detect lists them; each has a module that returns Rows: csv_table, lst, manifest,
profile_folders, class_folders (folder_tree: what lies in them; folder_doubts: whether they look like classes). They
share channel_files (finding files), image_names (which files are images), channel_checks (what is wrong with a
channel as a whole), shards (images in tar files), columns (recognised names), text_files and rows. Imports no torch,
pandas or numpy.

Tested by files of other names:
    folder_tree: tests/model/data/readers/test_class_folders.py
"""
