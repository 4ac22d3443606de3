"""Results of jobs: fetch (downloads them to RESULTS/JOB, verifies models, prints scores), pipeline_run (follows a
SageMaker pipeline and downloads the results of its steps), tuning_run (follows a tuning job), transform_answers
(predictions of a batch transform as output.csv), endpoint_answers (requests to endpoints).
"""
