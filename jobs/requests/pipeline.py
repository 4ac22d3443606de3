"""The chain as a definition of SageMaker Pipelines (its JSON schema, version 2020-12-01): train, answer, evaluate, and
register where the score and its interval pass the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from container.job_types import EVALUATION, INFERENCE
from jobs.requests.hosting import Hosted, package_request
from jobs.requests.train_and_process import Request, processing_request, training_request
from jobs.spec.job import Input, Job, own_checkpoints
from model.evaluation.files import EVALUATION_JSON

SCHEMA = "2020-12-01"
SCORES = {"PropertyFileName": "Scores", "OutputName": "evaluation", "FilePath": EVALUATION_JSON}
CALLS = {  # of a step's kind: boto3's method, and the field of the name that the run gives
    "Training": ("create_training_job", "TrainingJobName"),
    "Processing": ("create_processing_job", "ProcessingJobName"),
    "RegisterModel": ("create_model_package", None),
}
KNOWN_LATER = ({"Get"}, {"Std:Join"})
PLACE = "s3://bucket/known/when/it/runs"
RUN = {"Get": "Execution.PipelineExecutionId"}


def joined(*parts: str | Mapping[str, Any]) -> Request:
    """Parts joined by / when the pipeline runs."""
    return {"Std:Join": {"On": "/", "Values": list(parts)}}


def definition(
    training: Job, eval_data: str, truth: str, group: str, gate: float, low_gate: float, approval: str
) -> Request:
    """training: with its inputs in S3, as are eval_data (pictures) and truth (gt.csv); gate: least macro F1; low_gate:
    least lower end of its interval."""
    model = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    folder = f"{training.account.root}/pipelines/{training.name}"
    processing = replace(training, settings={}, machine=replace(training.machine, count=1))
    answers, scores = joined(folder, RUN, "answers"), joined(folder, RUN, "evaluation")
    inference = _processing(
        replace(
            processing,
            type=INFERENCE,
            inputs=(Input("eval", eval_data), Input("model", "s3://model/model.tar.gz")),
        ),
        {"model": model},
        answers,
    )
    evaluation = _processing(
        replace(
            processing,
            type=EVALUATION,
            inputs=(Input("ground_truth", truth), Input("predictions", "s3://answers")),
        ),
        {"predictions": answers},
        scores,
    )
    hosted = Hosted(training.name, "s3://model/model.tar.gz", training.account, training.machine)
    package = package_request(hosted, group, "s3://evaluation.json", approval)
    package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] = model
    package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] = joined(scores, EVALUATION_JSON)
    train = training_request(training)
    del train["TrainingJobName"]
    if training.checkpoints == own_checkpoints(training):  # another run must not go on from this one's
        train["CheckpointConfig"]["S3Uri"] = joined(folder, RUN, "checkpoints")
    conditions = [_at_least("rarebird.macro_f1.value", gate)]
    if low_gate > 0:  # without an interval the lower end is null, which no comparison takes
        conditions.append(_at_least("rarebird.macro_f1.low", low_gate))
    steps = [
        _step("Train", "Training", train),
        _step("Answer", "Processing", inference),
        _step("Evaluate", "Processing", evaluation) | {"DependsOn": ["Answer"], "PropertyFiles": [SCORES]},
        {
            "Name": "Gate",
            "Type": "Condition",
            "Arguments": {
                "Conditions": conditions,
                "IfSteps": [_step("Register", "RegisterModel", package)],
                "ElseSteps": [],
            },
        },
    ]
    return {"Version": SCHEMA, "Metadata": {}, "Parameters": [], "Steps": steps}


def _step(name: str, kind: str, arguments: Request) -> Request:
    return {"Name": name, "Type": kind, "Arguments": arguments}


def _processing(job: Job, sources: Mapping[str, Any], output: Request) -> Request:
    """A processing step's arguments; sources: inputs whose places are known when the pipeline runs."""
    request = processing_request(job)
    del request["ProcessingJobName"]
    for given in request["ProcessingInputs"]:
        if given["InputName"] in sources:
            given["S3Input"]["S3Uri"] = sources[given["InputName"]]
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = output
    return request


def _at_least(path: str, least: float) -> Request:
    value = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Scores"}, "Path": path}}
    return {"Type": "GreaterThanOrEqualTo", "LeftValue": value, "RightValue": least}


def step_requests(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, Request]]:
    """Each step as the call that it becomes, with a name and, for what only a run knows, places that a check takes."""
    found = []
    for step in steps:
        if step["Type"] == "Condition":
            found += step_requests(step["Arguments"]["IfSteps"])
            continue
        method, name = CALLS[step["Type"]]
        request = _settled(step["Arguments"])
        found.append((method, {**request, **({name: step["Name"]} if name else {})}))
    return found


def _settled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return PLACE if set(value) in KNOWN_LATER else {key: _settled(item) for key, item in value.items()}
    return [_settled(item) for item in value] if isinstance(value, list) else value


def step_names(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every step's name, those behind a condition too."""
    found = []
    for step in steps:
        found.append(str(step["Name"]))
        found += step_names(step["Arguments"].get("IfSteps", []) if step["Type"] == "Condition" else [])
    return found
