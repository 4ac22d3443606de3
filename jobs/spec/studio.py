"""What SageMaker Studio and notebook instances say of themselves: role, region and the account's default bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from container.opt_ml import IN_CONTAINER

METADATA = IN_CONTAINER / "metadata" / "resource-metadata.json"  # where the SDK's get_execution_role looks, too


def studio_defaults(path: Path | None = None) -> Mapping[str, str]:
    """The flags role, region and bucket of a Studio space or notebook instance, as far as it names them; else {}.

    The bucket is that which SageMaker's SDK creates and takes by default, sagemaker-REGION-ACCOUNT.

    Args:
        path: File of metadata; None for METADATA.
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
