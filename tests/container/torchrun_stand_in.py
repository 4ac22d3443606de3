"""Stands in for torch.distributed.run, without importing torch: starts the processes of one host, and when one fails
ends the others."""

from __future__ import annotations

import os
import subprocess
import sys
import time


def main(arguments: list[str]) -> int:
    """Runs the processes to their end. Returns 1 if one failed."""
    number = int(arguments[arguments.index("--nproc_per_node") + 1])
    module = arguments[arguments.index("--module") + 1 :]
    variables = [{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number)} for rank in range(number)]
    ranks = [subprocess.Popen([sys.executable, "-m", *module], env={**os.environ, **own}) for own in variables]
    has_failed = False
    while [rank for rank in ranks if rank.poll() is None]:
        if not has_failed and any(rank.returncode for rank in ranks):
            has_failed = True
            for rank in ranks:
                rank.terminate()
        time.sleep(0.02)
    return int(any(rank.returncode for rank in ranks))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
