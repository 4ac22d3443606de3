"""The parts that all HTTP servers of the project share; none depends on a model. container.serve answers requests with
them, and exploration can serve pages with them.

server runs an ASGI app, app creates one that answers errors as JSON, request_body reads bodies within limits, json_body
parses and encodes JSON, telemetry counts and logs requests.

Tested by files of other names:
    errors, exception_handlers: tests/container/http/test_app.py
"""
