"""SageMaker, S3 and CloudWatch through boto3: clients, calls (retried calls, errors as messages), job_kinds (which API
calls belong to a training job, an endpoint, ...), log_tail and follower (a job's status and log until its end),
earlier_outputs (what a job of another machine left).
"""
