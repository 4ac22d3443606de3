"""AMIs of machines that serve a model."""

from __future__ import annotations

import pytest

from jobs.requests.ami import INFERENCE_AMI, TRANSFORM_AMI, has_gpu, inference_ami, transform_ami
from jobs.requests.validation import operation

GPUS = (
    "g4dn",
    "g5",
    "g6",
    "g6e",
    "g7",
    "g7e",
    "gr6",
    "p4d",
    "p4de",
    "p5",
    "p5e",
    "p5en",
    "p6-b200",
    "p6-b300",
    "p6e-gb200",
)
OTHERS = ("m5", "c5", "c7g", "r8g", "t2", "inf1", "inf2", "trn1", "trn1n", "trn2", "dl1", "p2", "p3", "p3dn")


@pytest.mark.parametrize("family", GPUS)
def test_gpu_instances_have_an_ami_with_a_new_enough_driver(family):
    instance = f"ml.{family}.xlarge"
    assert inference_ami(instance, "auto") == INFERENCE_AMI and transform_ami(instance, "auto") == TRANSFORM_AMI
    assert inference_ami(instance, "none") is None is transform_ami(instance, "none")
    assert inference_ami(instance, "al2-ami-x") == "al2-ami-x" == transform_ami(instance, "al2-ami-x")


@pytest.mark.parametrize("family", OTHERS)
def test_instances_without_gpus_for_cuda_13_have_no_ami(family):
    instance = f"ml.{family}.xlarge"
    assert inference_ami(instance, "auto") is None is transform_ami(instance, "auto")
    assert inference_ami(instance, "al2-ami-x") == "al2-ami-x"  # a name is used unchanged


def test_all_gpu_families_in_botocore_are_tested():
    variant = operation("create_endpoint_config").input_shape.members["ProductionVariants"].member
    families = {name.split(".")[1] for name in variant.members["InstanceType"].enum}
    assert {family for family in families if has_gpu(f"ml.{family}.x")} <= set(GPUS)
    assert INFERENCE_AMI in variant.members["InferenceAmiVersion"].enum


@pytest.mark.parametrize("kind", ["realtime", "async", "multi_model"])
def test_an_endpoint_on_a_gpu_sets_its_ami(kind, valid_requests):
    flags = f"--model_dir s3://b/m --kind {kind} --instance ml.g5.xlarge"
    variant = valid_requests("deploy", flags)["create_endpoint_config"]["ProductionVariants"][0]
    assert variant["InferenceAmiVersion"] == INFERENCE_AMI
    for others in ("--ami_version none", "--instance ml.m5.xlarge"):
        variant = valid_requests("deploy", f"{flags} {others}")["create_endpoint_config"]["ProductionVariants"][0]
        assert "InferenceAmiVersion" not in variant


def test_a_transform_on_a_gpu_sets_its_ami(valid_requests):
    flags = "--model_dir s3://b/m --data s3://b/e"
    for others, ami in (("--instance ml.g4dn.xlarge", TRANSFORM_AMI), ("", None), ("--ami_version al2-a", "al2-a")):
        resources = valid_requests("transform", f"{flags} {others}")["create_transform_job"]["TransformResources"]
        assert resources.get("TransformAmiVersion") == ami


def test_an_ami_missing_in_botocore_is_a_warning_and_other_text_an_error(dry_run):
    flags = ("deploy", "--model_dir", "s3://b/m", "--ami_version")
    code, out, err = dry_run(*flags, "al2027-ami-sagemaker-inference-gpu-9-1")
    assert code == 0 and "al2027-ami-sagemaker-inference-gpu-9-1" in out
    assert "warning: ProductionVariants[0].InferenceAmiVersion (--ami_version): 'al2027-ami" in err
    assert "is not in this version of botocore" in err
    code, out, err = dry_run(*flags, "gpu-4")
    assert (code, out) == (2, "")
    assert "InferenceAmiVersion (--ami_version): expected one of" in err and "not 'gpu-4'" in err
