"""The server of SageMaker's contract (Developer Guide: "Use Your Own Inference Code with Hosting Services", "... with
Batch Transform", "Custom Containers Contract for Multi-Model Endpoints"), run as `python -m container.serve`."""
