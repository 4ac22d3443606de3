"""The README's SageMaker section, command by command as it stands there, against a moto server; what needs torch or the
engine (here, docker, image) is run by the tests of the image and by hand."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.commands.doctor import CHECKS
from jobs.commands.image import repository_of
from tests.jobs.test_archive import saved_model
from tests.jobs.test_moto import BUCKET, MANIFEST, aws, leave, server, verb

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = ("image", "--on docker", "--job_name trial")

__all__ = ["aws", "server"]  # fixtures


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## SageMaker\n")[1].split("\n## ")[0]
    return re.findall(r"^python -m jobs (.+)$", section, re.M)


def test_the_commands_of_the_section(aws: Callable[[str], Any], tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.delitem(CHECKS, "engine")
    trust = {"Statement": [{"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = aws("iam").create_role(RoleName="Jobs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    repository = repository_of(aws("ecr"), "rarebird")
    aws("ecr").put_image(repositoryName="rarebird", imageManifest=MANIFEST, imageTag="1")
    Path(".env").write_text(f"SAGEMAKER_ROLE={role}\nSAGEMAKER_BUCKET={BUCKET}\nSAGEMAKER_IMAGE={repository}:1\n")
    Path("configs").symlink_to(ROOT / "configs")
    for name, file in (("train/a", "1.jpg"), ("eval", "1.jpg"), ("gt", "gt.csv")):
        Path("data", name).mkdir(parents=True)
        Path("data", name, file).write_bytes(b"x")
    leave("faces", tmp_path, model=saved_model(tmp_path / "made"))
    put = {"faces-answers/output/output.csv": b"ImageID,ans\n"}
    scores = {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in ("accuracy", "macro_f1")}
    evaluation = {"rarebird": scores, "multiclass_classification_metrics": {}}
    put["faces-scores/evaluation/evaluation.json"] = json.dumps(evaluation).encode()
    for key, content in put.items():
        aws("s3").put_object(Bucket=BUCKET, Key=f"rarebird/{key}", Body=content)

    ran = [command for command in commands() if not any(word in command for word in ELSEWHERE)]
    assert len(ran) == 8 and len(commands()) == 11
    for command in ran:
        assert verb(*shlex.split(command)) == 0, (command, capsys.readouterr().err)
    assert "model-package/rarebird/1" in capsys.readouterr().out
