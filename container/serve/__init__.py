"""The server of SageMaker's contract (Developer Guide: "Use Your Own Inference Code with Hosting Services", "... with
Batch Transform", "Custom Containers Contract for Multi-Model Endpoints"), run as `python -m container.serve`.

The parts that do not depend on a model are in container.http. app has the paths, request_body and responses read and
write bodies, batching collects images into batches for served_model. The models are loaded in this process (models) or
in several model processes (process_pool; worker is the server's side of a process, model_process the other side and
channel the messages between them).

Tested by files of other names:
    __main__: tests/container/serve/test_process.py
    errors: tests/container/serve/test_models.py
    model_process: tests/container/serve/test_worker.py
"""
