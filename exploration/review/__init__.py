"""`python -m exploration review`: a local page on which people review labels. Their decisions go to corrections.csv.

review is the command. queues lists what to review, filters selects images. store keeps the decisions (decisions: its
rows). row_labels has the labels of the channel as texts. thumbnails makes the JPEGs. app has the HTTP routes, security
refuses foreign requests; review_data, posted and progress make what requests and responses contain. page/ has the page.
"""
