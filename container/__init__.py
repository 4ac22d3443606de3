"""What runs inside the image around a job, and the one package that knows /opt/ml and the SM_* variables.

entrypoint starts a job (job_types) under supervise or torchrun; job_script is around every job script; settings_layers,
environment and locations say with which settings it runs and where its folders lie; failure reports how it ended;
serve/ is the HTTP server, http/ those of its parts that know no model, on which exploration may serve pages too.
"""
