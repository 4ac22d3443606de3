"""What every HTTP server of the project shares, without any model in it: container.serve answers on these parts, and
exploration serves pages on them.

server runs an ASGI app, app makes one whose errors are JSON, request_body reads bodies within limits, json_body reads
and writes JSON, telemetry counts and logs requests.

Tested by files of other names:
    errors, exception_handlers: tests/container/http/test_app.py
"""
