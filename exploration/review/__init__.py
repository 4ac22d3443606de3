"""`python -m exploration review`: a local page on which people review labels. Their decisions go to corrections.csv.

review is the command. queues lists what to review, filters selects images. store keeps the decisions; correction_rows
parses and formats rows of its file. row_labels has the labels of the channel as texts. thumbnails makes the JPEGs. app
has the HTTP routes, security refuses foreign requests; posted checks a decision that the page sends, review_data and
progress make what it reads. page/ has the page.

Tested by files of other names:
    __init__: tests/exploration/review/page/test_steps.py
    correction_rows: tests/exploration/review/test_store.py
    review_data, posted: tests/exploration/review/test_app.py
"""
