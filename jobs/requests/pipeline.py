"""The definition of a SageMaker pipeline (JSON schema of version 2020-12-01): train, predict, evaluate, and register
the model if its score and confidence interval pass the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from container.job_types import EVALUATION, INFERENCE, TRAIN, JobType
from jobs.requests.common import Request
from jobs.requests.hosted_model import HostedModel
from jobs.requests.processing import processing_request
from jobs.requests.registry import package_request
from jobs.requests.training import training_request
from jobs.spec.inputs import Input
from jobs.spec.job import Job
from model.evaluation.files import EVALUATION_JSON

SCHEMA = "2020-12-01"
MODEL = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}  # resolved when the pipeline runs
EXECUTION_ID = {"Get": "Execution.PipelineExecutionId"}
SCORES = {"PropertyFileName": "Scores", "OutputName": "evaluation", "FilePath": EVALUATION_JSON}
STEP_METHODS = {  # by step type: boto3's method, and the field of the job's name, which the execution sets
    "Training": ("create_training_job", "TrainingJobName"),
    "Processing": ("create_processing_job", "ProcessingJobName"),
    "RegisterModel": ("create_model_package", None),
}
TRAIN_DATA, EVAL_DATA, TRUTH = "TrainData", "EvalData", "Truth"  # parameters of an execution
INSTANCE_TYPE, INSTANCE_COUNT = "InstanceType", "InstanceCount"
GATE, LOW_GATE = "Gate", "LowGate"
PARAMETER = "Parameters."  # before a parameter's name in {"Get": ...}
FUNCTIONS = ({"Get"}, {"Std:Join"})  # keys of mappings that an execution replaces by a value
SAMPLE_URI = "s3://bucket/known/when/it/runs"  # replaces these mappings when a step is checked


@dataclass(frozen=True)
class Gate:
    """The scores that a model must reach to be registered.

    Attributes:
        macro_f1: Smallest macro F1.
        low: Smallest lower end of its confidence interval; 0 requires no interval.
    """

    macro_f1: float
    low: float


@dataclass(frozen=True)
class Chain:
    """A training and the steps after it in a pipeline.

    Attributes:
        training: The training job, with its inputs in S3.
        eval_data: S3 URI of the images to predict.
        truth: S3 URI of the folder with gt.csv, the true classes of these images.
        gate: The scores to reach.
        group: Model package group in the registry.
        approval: Approval status of a registered version.
        cache_days: Days for which the results of a step with the same arguments are reused; 0 to run every step.
    """

    training: Job
    eval_data: str
    truth: str
    gate: Gate
    group: str
    approval: str
    cache_days: int = 0

    def run_uri(self, *parts: str) -> Request:
        """Returns an S3 URI below the folder of one execution, as a function that the execution evaluates."""
        return _join(f"{self.training.account.root}/pipelines/{self.training.name}", EXECUTION_ID, *parts)


def pipeline_definition(chain: Chain) -> Request:
    """Returns the definition. URIs that depend on the execution are functions that the execution evaluates."""
    cache = {"CacheConfig": {"Enabled": True, "ExpireAfter": f"P{chain.cache_days}D"}} if chain.cache_days else {}
    steps = [
        _step("Train", "Training", _train(chain)) | cache,
        _step("Answer", "Processing", _answer(chain)) | cache,
        _step("Evaluate", "Processing", _evaluate(chain)) | {"PropertyFiles": [SCORES]} | cache,
        {
            "Name": "Gate",
            "Type": "Condition",
            "Arguments": {
                "Conditions": _conditions(chain.gate),
                "IfSteps": [_step("Register", "RegisterModel", _register(chain))],
                "ElseSteps": [],
            },
        },
    ]
    return {"Version": SCHEMA, "Metadata": {}, "Parameters": _parameters(chain), "Steps": steps}


def _parameters(chain: Chain) -> list[Request]:
    """Returns the parameters that an execution may override, with the values of the command as defaults."""
    training = chain.training
    data = next(each for each in training.inputs if each.name == TRAIN.data)
    values: dict[str, Any] = {
        TRAIN_DATA: data.s3_prefix,
        EVAL_DATA: Input("eval", chain.eval_data).s3_prefix,
        TRUTH: Input("ground_truth", chain.truth).s3_prefix,
        INSTANCE_TYPE: training.machine.instance,
        INSTANCE_COUNT: training.machine.count,
        GATE: chain.gate.macro_f1,
        **({LOW_GATE: chain.gate.low} if chain.gate.low > 0 else {}),
    }
    types = {str: "String", int: "Integer", float: "Float"}
    return [{"Name": name, "Type": types[type(value)], "DefaultValue": value} for name, value in values.items()]


def _parameter(name: str) -> Request:
    return {"Get": f"{PARAMETER}{name}"}


def _train(chain: Chain) -> Request:
    request = training_request(chain.training)
    del request["TrainingJobName"]
    for channel in request["InputDataConfig"]:
        if channel["ChannelName"] == TRAIN.data:
            channel["DataSource"]["S3DataSource"]["S3Uri"] = _parameter(TRAIN_DATA)
    request["ResourceConfig"] |= {
        "InstanceType": _parameter(INSTANCE_TYPE),
        "InstanceCount": _parameter(INSTANCE_COUNT),
    }
    if chain.training.checkpoints == chain.training.default_checkpoints:
        # an execution must not resume from the checkpoints of another execution
        request["CheckpointConfig"]["S3Uri"] = chain.run_uri("checkpoints", "")
        if chain.cache_days:  # a URI that differs in each execution would prevent the reuse of results
            del request["CheckpointConfig"]
    return request


def _answer(chain: Chain) -> Request:
    inputs = (Input("eval", chain.eval_data), Input("model", "s3://model/model.tar.gz"))
    job = replace(_processing_job(chain), type=INFERENCE, inputs=inputs)
    return _processing(job, {"eval": _parameter(EVAL_DATA), "model": MODEL}, chain.run_uri("answers"))


def _evaluate(chain: Chain) -> Request:
    inputs = (Input("ground_truth", chain.truth), Input("predictions", "s3://answers"))
    job = replace(_processing_job(chain), type=EVALUATION, inputs=inputs)
    sources = {"ground_truth": _parameter(TRUTH), "predictions": _output("Answer", INFERENCE)}
    return _processing(job, sources, chain.run_uri("evaluation"))


def _output(step: str, job_type: JobType[Any]) -> Request:
    """Returns the URI of a processing step's output, in this execution or in the earlier one that it is reused from."""
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{job_type.output}'].S3Output.S3Uri"}


def _register(chain: Chain) -> Request:
    training = chain.training
    hosted = HostedModel(training.name, "s3://model/model.tar.gz", training.account, training.machine)
    request = package_request(hosted, chain.group, "s3://evaluation.json", chain.approval)
    request["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] = MODEL
    request["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] = _join(
        _output("Evaluate", EVALUATION), EVALUATION_JSON
    )
    return request


def _conditions(gate: Gate) -> list[Request]:
    conditions = [_at_least("rarebird.macro_f1.value", GATE)]
    if gate.low > 0:  # without an interval its lower end is null, which cannot be compared
        conditions.append(_at_least("rarebird.macro_f1.low", LOW_GATE))
    return conditions


def _at_least(path: str, parameter: str) -> Request:
    value = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Scores"}, "Path": path}}
    return {"Type": "GreaterThanOrEqualTo", "LeftValue": value, "RightValue": _parameter(parameter)}


def _processing_job(chain: Chain) -> Job:
    return replace(chain.training, settings={}, machine=replace(chain.training.machine, count=1))


def _processing(job: Job, sources: Mapping[str, Any], output: Request) -> Request:
    """Returns the arguments of a processing step.

    Args:
        job: The processing job.
        sources: URIs of inputs by name, resolved when the pipeline runs.
        output: URI of its output, resolved when the pipeline runs.
    """
    request = processing_request(job)
    del request["ProcessingJobName"]
    request["ProcessingResources"]["ClusterConfig"]["InstanceType"] = _parameter(INSTANCE_TYPE)
    for entry in request["ProcessingInputs"]:
        if entry["InputName"] in sources:
            entry["S3Input"]["S3Uri"] = sources[entry["InputName"]]
    outputs = request["ProcessingOutputConfig"]["Outputs"]
    outputs[0]["S3Output"]["S3Uri"] = output
    del outputs[1:]  # without finished parts: a step of a pipeline is not resumed
    return request


def _step(name: str, step_type: str, arguments: Request) -> Request:
    return {"Name": name, "Type": step_type, "Arguments": arguments}


def _join(*parts: str | Mapping[str, Any]) -> Request:
    """Returns a function that joins the parts with / when the pipeline runs."""
    return {"Std:Join": {"On": "/", "Values": list(parts)}}


def step_requests(definition: Mapping[str, Any]) -> list[tuple[str, Request]]:
    """Returns the boto3 method and request of each step, with the defaults of parameters, and sample values for those
    that only an execution resolves."""
    defaults = {entry["Name"]: entry["DefaultValue"] for entry in definition["Parameters"]}
    return _step_requests(definition["Steps"], defaults)


def _step_requests(steps: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> list[tuple[str, Request]]:
    requests = []
    for step in steps:
        if step["Type"] == "Condition":
            requests += _step_requests(step["Arguments"]["IfSteps"], defaults)
            continue
        method, name_field = STEP_METHODS[step["Type"]]
        request = _with_sample_values(step["Arguments"], defaults)
        requests.append((method, {**request, **({name_field: step["Name"]} if name_field else {})}))
    return requests


def _with_sample_values(value: Any, defaults: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        if set(value) in FUNCTIONS:
            return defaults.get(str(value.get("Get", "")).removeprefix(PARAMETER), SAMPLE_URI)
        return {key: _with_sample_values(item, defaults) for key, item in value.items()}
    return [_with_sample_values(item, defaults) for item in value] if isinstance(value, list) else value
