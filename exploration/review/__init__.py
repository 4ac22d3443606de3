"""A local page on which people review labels, for two commands. Their decisions go to corrections.csv.

review and errors are the commands; serve makes and runs the server for both, page_settings has their common settings.
queues lists what to review, filters selects images, predictions has what a model predicts and the queue of its errors.
store keeps the decisions; correction_rows parses and formats rows of its file. row_labels has the labels of the channel
as texts. thumbnails makes the JPEGs, heat_images those of heat maps; jpeg_cache keeps them. app has the HTTP routes,
security refuses foreign requests; posted checks a decision that the page sends, review_data and progress make what it
reads. page/ has the page.

Tested by files of other names:
    __init__: tests/exploration/review/page/test_steps.py
    correction_rows: tests/exploration/review/test_store.py
    posted: tests/exploration/review/test_app.py
    review_data: tests/exploration/review/page/test_prediction.py
    serve, page_settings: tests/exploration/review/test_review.py
    jpeg_cache: tests/exploration/review/test_thumbnails.py
"""
