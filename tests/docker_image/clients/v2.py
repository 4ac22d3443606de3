"""The SageMaker Python SDK 2 in local mode, without an account: fit, deploy, predict, transform.

python v2.py IMAGE DATA WEIGHTS FOLDER PORT    prints a line of JSON: the responses and the paths of the results
"""

import json
import sys
from pathlib import Path

import boto3
from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession
from sagemaker.serializers import IdentitySerializer

image, data, weights, place, port = sys.argv[1], *map(Path, sys.argv[2:5]), int(sys.argv[5])
(place / "containers").mkdir(parents=True)
quiet = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
session = LocalSession(
    boto_session=boto3.Session(region_name="eu-west-1"), default_bucket="none-is-used", sagemaker_config=quiet
)
session.config = {"local": {"local_code": True, "container_root": str(place / "containers"), "serving_port": port}}
one_thread = {"OMP_NUM_THREADS": "1"}
estimator = Estimator(
    image_uri=image,
    role="arn:aws:iam::111122223333:role/none",
    instance_count=1,
    instance_type="local",
    output_path=f"file://{place}/output",
    sagemaker_session=session,
    environment=one_thread,
    hyperparameters={  # this client sends str() of each
        "config": "configs/mask-mobilenetv2.yaml",
        "weights": "/opt/ml/input/data/weights/mobilenetv2_100.imagenet.safetensors",
        "epochs": 1,
        "batch_size": 16,
        "input_size": [64, 48],
        "pretrained": False,
        "precision": "fp32",
    },
)
(place / "output").mkdir()
estimator.fit({"train": f"file://{data}/train", "weights": f"file://{weights}"}, logs=True)

pictures = sorted((data / "eval" / "images").iterdir())[:3]
endpoint = "rarebird"
try:
    predictor = estimator.deploy(
        initial_instance_count=1,
        instance_type="local",
        endpoint_name=endpoint,
        env={**one_thread, "SERVE_PRECISION": "fp32"},
        serializer=IdentitySerializer(content_type="image/jpeg"),
        deserializer=JSONDeserializer(),
    )
    predicted = [predictor.predict(picture.read_bytes()) for picture in pictures]
finally:
    session.sagemaker_client.delete_endpoint(EndpointName=endpoint)

# SingleRecord: this client's own word for SINGLE_RECORD; wait and logs ask CloudWatch even here.
transformer = estimator.transformer(
    1,
    "local",
    env=one_thread,
    output_path=f"file://{place}/transformed",
    strategy="SingleRecord",
    accept="application/json",
)
(place / "transformed").mkdir()
transformer.transform(
    f"file://{data}/eval/images", content_type="application/x-image", split_type=None, wait=False, logs=False
)
print(json.dumps({"pictures": [picture.name for picture in pictures], "predicted": predicted}))
