"""Pure functions from descriptions to boto3 requests, a module per kind of request: training, processing, tuning,
hosted_model, transform, endpoint, registry, pipeline; common (their shared fields) and validation (checks a request
against botocore's model before it is sent).
"""
