"""Starts, follows and fetches the jobs: on this machine, in the local image, on SageMaker."""
