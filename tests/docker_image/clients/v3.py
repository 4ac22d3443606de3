"""The SageMaker Python SDK 3 in local mode, without an account: a training by the image's own entry point.

python v3.py IMAGE DATA WEIGHTS FOLDER    writes the model below FOLDER
"""

import sys
from pathlib import Path

import boto3
from sagemaker.core.local.local_session import LocalSession
from sagemaker.train.configs import Compute, InputData
from sagemaker.train.model_trainer import Mode, ModelTrainer

image, data, weights, place = sys.argv[1], *map(Path, sys.argv[2:5])
place.mkdir(parents=True)
quiet = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
session = LocalSession(
    boto_session=boto3.Session(region_name="eu-west-1"), default_bucket="none-is-used", sagemaker_config=quiet
)
trainer = ModelTrainer(
    training_image=image,
    training_mode=Mode.LOCAL_CONTAINER,
    sagemaker_session=session,
    role="arn:aws:iam::111122223333:role/none",
    compute=Compute(instance_type="local_cpu", instance_count=1),
    base_job_name="rarebird",
    local_container_root=str(place),
    hyperparameters={  # this client sends JSON of each
        "config": "configs/mask-mobilenetv2.yaml",
        "weights": "/opt/ml/input/data/weights/mobilenetv2_100.imagenet.safetensors",
        "epochs": 1,
        "batch_size": 16,
        "input_size": [64, 48],
        "pretrained": False,
        "precision": "fp32",
    },
)
trainer.train(
    input_data_config=[
        InputData(channel_name="train", data_source=str(data / "train")),
        InputData(channel_name="weights", data_source=str(weights)),
    ]
)
