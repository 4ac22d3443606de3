"""`python -m exploration export`: the labels of a channel, corrected, as files for training and for other tools.

Tested by files of other names:
  exported_images, formats: tests/exploration/export/test_export.py
"""
