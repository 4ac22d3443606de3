"""The HTML report of an evaluation, one file that needs nothing beside it.

render makes the page from templates/; confusion, picture_lists, thumbnails, charts and sentences make its matrices,
lists of pictures, small pictures, figures and text.

Tested by files of other names:
    render: tests/model/evaluation/report/test_page.py
"""
