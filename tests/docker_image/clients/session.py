"""The SageMaker Python SDK's LocalSession as a client of boto3's shape, without an account: runs requests unchanged,
except for s3://, which is FOLDER, and the instance, which is this machine.

python session.py REQUESTS FOLDER    REQUESTS: a JSON file, [[method, request], ...]
"""

import json
import sys
from pathlib import Path

import boto3
from sagemaker.local import LocalSession

requests, place = map(Path, sys.argv[1:3])
quiet = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
session = LocalSession(
    boto_session=boto3.Session(region_name="eu-west-1"), default_bucket="none-is-used", sagemaker_config=quiet
)
(place / "containers").mkdir(parents=True)
session.config = {"local": {"local_code": True, "container_root": str(place / "containers")}}
client = session.sagemaker_client
archives = {}  # where the service would have put a training's model: where this client puts it


def local(told):
    """A request with the places of this machine."""
    if isinstance(told, dict):
        return {key: "local" if key == "InstanceType" else local(value) for key, value in told.items()}
    if isinstance(told, list):
        return [local(value) for value in told]
    if isinstance(told, str) and told.startswith("s3://"):
        return archives.get(told, told.replace("s3://", f"file://{place}/"))
    return told


for method, request in json.loads(requests.read_text()):
    placed = local(request)
    if method == "create_training_job":
        name, root = request["TrainingJobName"], request["OutputDataConfig"]["S3OutputPath"]
        Path(placed["OutputDataConfig"]["S3OutputPath"].removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        client.create_training_job(**placed)
        made = client.describe_training_job(TrainingJobName=name)["ModelArtifacts"]["S3ModelArtifacts"]
        archives[f"{root}/{name}/output/model.tar.gz"] = made
    else:
        # this client takes arguments only behind an entry point; the service takes them behind the image's own
        placed["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-m", "container.entrypoint"]
        # finished parts are uploaded while the job runs, which this client refuses; it fetches what is there at the end
        outputs = [each for each in placed["ProcessingOutputConfig"]["Outputs"] if each["OutputName"] != "parts"]
        placed["ProcessingOutputConfig"]["Outputs"] = outputs
        for output in outputs:
            Path(output["S3Output"]["S3Uri"].removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        client.create_processing_job(**placed)
