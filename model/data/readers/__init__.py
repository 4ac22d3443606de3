"""Layouts of a channel. Imports no torch, pandas or numpy.

detect lists the layouts and detects the layout of a channel. Each layout has a module that returns Rows: csv_table,
lst, manifest, path_list, image_files, profile_folders and class_folders (with folder_tree, which lists their files, and
folder_doubts, which checks whether they look like classes). The layouts share channel_files (finds files), image_names
(which files are images), channel_checks (checks of a whole channel), shards (images in tar files), columns (recognised
names), text_files, text_table and rows.

Tested by files of other names:
    folder_tree: tests/model/data/readers/test_class_folders.py
"""
