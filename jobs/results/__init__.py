"""What an ended job left: fetch (downloads into RESULTS/JOB, checks models, prints scores), pipeline_run (follows a
SageMaker pipeline and fetches what its steps left), endpoint_answers (asks endpoints).
"""
