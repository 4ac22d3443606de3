"""Pure functions from a job's description to boto3 requests, one module per kind of request: training, processing,
tuning, hosted_model, transform, endpoint, scaling, registry, pipeline.

Shared modules: ami (AMIs of machines that serve a model), combinations (settings of a search), common (fields of
several requests), spending (machine hours that requests cost), validation (checks requests against botocore's model).
"""
