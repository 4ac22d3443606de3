"""Everything that runs around a job inside the image. The only package that reads /opt/ml and the SM_* variables.

entrypoint starts a job (job_types) under supervise or torchrun. job_script wraps the main function of every job
script. settings_layers, environment and locations determine a job's settings and folders; input_checks finds missing
ones before torch is imported. failure writes the files that report how a job ended, next_commands has the command
that follows it. command_line is the installed command `rarebird`. serve/ is the HTTP server of models; http/ has its
parts that do not depend on a model, which exploration may use to serve pages.
"""
