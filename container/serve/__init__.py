"""The server of SageMaker's contract (Developer Guide: "Use Your Own Inference Code with Hosting Services", "... with
Batch Transform", "Custom Containers Contract for Multi-Model Endpoints"), run as `python -m container.serve`.

What knows no model is in container.http. app has the paths, request_body and responses read and write bodies, batching
gathers images for served_model. The models are in this process (models) or in several model processes (process_pool;
worker is the server's side of one, model_process the other, channel what they exchange).

Tested by files of other names:
    __main__: tests/container/serve/test_process.py
    errors: tests/container/serve/test_models.py
    model_process: tests/container/serve/test_worker.py
"""
