"""The data report: one HTML page about the images and labels of a channel (exploration.report is the command).

report_data: the channels as one table with splits. analysis: all numbers of a report, from summary (counts, groups,
label checks), leaks, measures (sizes, brightness, blur), duplicate_order, embedding_map and findings (what deserves
attention). page: the HTML, from templates/, with grids (samples, thumbnails), map_content and sentences.

Tested by files of other names:
    analysis, sentences: tests/exploration/data_report/test_page.py
"""
