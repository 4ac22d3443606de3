"""SageMaker, S3 and CloudWatch through boto3: clients, calls (retries and error messages), job_kinds (the API calls of
a training job, an endpoint, ...), log_tail and follower (a job's log and status until its end), earlier_outputs (the
results of a job that was started on another machine).
"""
