"""Reads role, region and default bucket from the metadata of SageMaker Studio and notebook instances."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from container.opt_ml import IN_CONTAINER

METADATA = IN_CONTAINER / "metadata" / "resource-metadata.json"  # the SDK's get_execution_role reads it too


def studio_defaults(path: Path | None = None) -> Mapping[str, str]:
    """Returns the flags role, region and bucket in a Studio space or notebook instance; {} elsewhere.

    The bucket is the default bucket of SageMaker's SDK, sagemaker-REGION-ACCOUNT.

    Args:
        path: Metadata file; None for METADATA.
    """
    try:
        content = json.loads((path or METADATA).read_text(encoding="utf-8"))
        role, parts = content.get("ExecutionRoleArn"), str(content.get("ResourceArn", "")).split(":")
    except (OSError, ValueError, AttributeError):
        return {}
    defaults = {"role": str(role)} if role else {}
    if len(parts) > 5 and parts[2] == "sagemaker":
        region, account = parts[3:5]
        defaults |= {"region": region, "bucket": f"sagemaker-{region}-{account}"}
    return defaults
