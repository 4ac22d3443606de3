"""The HTML report of an evaluation, one file that needs nothing beside it.

render makes the page from templates/; confusion (matrices), picture_lists (what opens from a cell), examples (images
on the page), thumbnails, charts, curves and sentences (the text, and how numbers are written) make its parts.

Tested by files of other names:
    __init__: tests/model/evaluation/report/test_browser.py
"""
