"""Pure functions from descriptions to boto3 requests, a module per kind of request: training, processing, tuning,
hosted_model, transform, endpoint, scaling, registry, pipeline; ami (of machines that serve a model), common (fields of
several requests), spending (what they cost) and validation (checks a request against botocore's model before it is
sent).
"""
