"""Layouts of a channel. detect lists them; each has a module that returns Rows: csv_table, lst, manifest,
profile_folders, class_folders. They share channel_files (finding files), shards (images in tar files), columns
(recognised names), text_files and rows. Imports no torch, pandas or numpy.
"""
