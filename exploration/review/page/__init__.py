"""The review page: review.html, review.css and JavaScript modules that browsers load as they are.

review.js starts the page and performs actions; keys.js maps keys to actions. state.js has what is reviewed and decided,
saves.js sends decisions and retries, api.js has the requests. grid.js is step 1, detail.js all views of one item, with
stage.js (images), evidence.js (reason and nearest images), prediction.js (probabilities, heat maps), classes.js (the
right class) and zoom.js. header.js has progress and messages, filters.js filters and search, virtual.js lists of which
only the visible rows exist, dom.js elements.

Tested by files of other names:
    __init__: tests/exploration/review/page/test_saving.py
"""
