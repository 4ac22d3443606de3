"""One of torchrun's children: runs a script as a child of its own and notes how it ended, which torchrun tells only
as a fault.

    torchrun ... --module container.rank SCRIPT [FLAGS]
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from container.environment import FAILURE_FILE, RANKS_DIR
from container.supervise import Ended, supervise

STOPPED_WITHIN = 60.0  # seconds; half of what SageMaker gives a job that it stops


@dataclass(frozen=True)
class RankEnded:
    """How a rank ended. at: in seconds since the epoch; failure: what it told, "" where it told nothing."""

    rank: int
    ended: Ended
    at: float
    failure: str


def main(command: list[str]) -> int:
    folder, rank = Path(os.environ[RANKS_DIR]), int(os.environ["RANK"])
    failure = folder / f"{rank}.failure"
    variables = {**os.environ, FAILURE_FILE: str(failure)}
    ended = supervise([sys.executable, *command], variables, patience=STOPPED_WITHIN)
    note = {"code": ended.code, "received": ended.received, "out_of_memory": ended.out_of_memory, "at": time.time()}
    beside = folder / f"{rank}.part"
    beside.write_text(json.dumps(note))
    beside.replace(folder / f"{rank}.json")
    return ended.code


def first_failure(folder: Path) -> RankEnded | None:
    """The rank on this host that failed first, of which the others' failures follow; None where none did."""
    failed = []
    for path in folder.glob("*.json"):
        note = json.loads(path.read_text())
        if note["code"]:
            told = path.with_suffix(".failure")
            failure = told.read_text(encoding="utf-8") if told.is_file() else ""
            ended = Ended(note["code"], note["received"], note["out_of_memory"])
            failed.append(RankEnded(int(path.stem), ended, note["at"], failure))
    return min(failed, key=lambda rank: rank.at, default=None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
