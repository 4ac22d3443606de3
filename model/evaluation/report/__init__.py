"""The HTML report of an evaluation: one file that needs no other file and no network.

render: the page, from templates/. Its parts: confusion (matrices), picture_lists (images of a cell), examples (images
on the page), thumbnails, charts, curves, sentences (text and formats of numbers). page_files: what every page of the
project embeds (exploration.data_report uses it and the style sheet too).

Tested by files of other names:
    __init__: tests/model/evaluation/report/test_browser.py
    page_files: tests/model/evaluation/report/test_render.py
"""
