"""A child of torchrun: runs a script as its own child process and writes how the script ended, because torchrun exits
with 1 for every failure.

    torchrun ... --module container.torchrun_child SCRIPT [FLAGS]
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from container.environment import FAILURE_FILE, RANKS_DIR
from container.supervise import ExitStatus, supervise

POLL_SECONDS = 0.1
PATIENCE = 60.0  # seconds after SIGTERM; half of what SageMaker gives a job that it stops


@dataclass(frozen=True)
class RankStatus:
    """How a rank ended.

    Attributes:
        rank: The rank.
        status: The exit status of its script.
        time: When it ended, in seconds since the epoch.
        failure: Its error message, "" if it wrote none.
    """

    rank: int
    status: ExitStatus
    time: float
    failure: str


def main(command: list[str]) -> int:
    """Runs a Python command and writes how it ended into the folder RANKS_DIR. Returns its exit code."""
    folder, rank = Path(os.environ[RANKS_DIR]), int(os.environ["RANK"])
    failure = folder / f"{rank}.failure"
    variables = {**os.environ, FAILURE_FILE: str(failure)}
    status = supervise([sys.executable, *command], variables, patience=PATIENCE)
    note = {"code": status.code, "received": status.received, "out_of_memory": status.out_of_memory, "at": time.time()}
    partial = folder / f"{rank}.part"
    partial.write_text(json.dumps(note))
    partial.replace(folder / f"{rank}.json")
    return status.code


def wait_for_others(folder: Path, rank: int, world: int) -> None:
    """Returns when all other ranks of this host have ended with exit code 0. If one fails, torchrun ends this rank.

    Args:
        folder: The folder that RANKS_DIR names.
        rank: This rank.
        world: Number of ranks.
    """
    others = set(range(world)) - {rank}
    while others:
        for other in sorted(others):
            note = folder / f"{other}.json"
            if note.is_file() and json.loads(note.read_text())["code"] == 0:
                others.discard(other)
        if others:
            time.sleep(POLL_SECONDS)


def first_failure(folder: Path) -> RankStatus | None:
    """The rank on this host that failed first, since the others failed because of it; None if all succeeded."""
    failed = []
    for path in folder.glob("*.json"):
        note = json.loads(path.read_text())
        if note["code"]:
            file = path.with_suffix(".failure")
            failure = file.read_text(encoding="utf-8") if file.is_file() else ""
            status = ExitStatus(note["code"], note["received"], note["out_of_memory"])
            failed.append(RankStatus(int(path.stem), status, note["at"], failure))
    return min(failed, key=lambda rank: rank.time, default=None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
