"""The command `rarebird COMMAND ...`, which `pip install` adds: runs a job script or a package as `python` would."""

from __future__ import annotations

import runpy
import sys

from container.project_root import PROJECT_ROOT
from model import __version__
from model.errors import ExitCode, did_you_mean, listing

USAGE = """\
usage: rarebird COMMAND [...]

  rarebird train --train_dir data/train --epochs 10
  rarebird inference photos/a.jpg --model_dir runs/exp
  rarebird explore runs

Commands:
{commands}

rarebird COMMAND --help shows the settings or subcommands of a command."""

COMMANDS = {  # by name: the script or package that `python` would run, and the line in --help
    "train": ("train", "train a model"),
    "inference": ("inference", "predict images with a saved model"),
    "inference_TTA": ("inference_TTA", "predict images with test-time augmentation"),
    "evaluation": ("evaluation", "score predictions against the ground truth"),
    "explore": ("exploration", "list runs and their scores, draw demo data"),
    "model": ("model", "combine saved models, average predictions"),
    "jobs": ("jobs", "start, follow and fetch jobs on this machine, in docker and on SageMaker"),
}
OTHER_NAMES = {"exploration": "explore"}


def main() -> int:
    """Runs the command line of this process and returns the exit code."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        lines = [f"  {command:<14} {summary}" for command, (_, summary) in COMMANDS.items()]
        print(USAGE.format(commands="\n".join(lines)))
        return ExitCode.DONE
    if name == "--version":
        print(f"rarebird {__version__}")
        return ExitCode.DONE
    command = OTHER_NAMES.get(name, name)
    if command not in COMMANDS:
        known = f"{listing(COMMANDS)}{did_you_mean(name, [*COMMANDS, *OTHER_NAMES])}"
        print(f"error: rarebird has no command {name!r}; it has {known}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    sys.argv = [f"rarebird {name}", *arguments]
    # first of the path: another folder may have a train.py too
    sys.path.insert(0, str(PROJECT_ROOT))
    runpy.run_module(COMMANDS[command][0], run_name="__main__", alter_sys=True)
    return ExitCode.DONE  # not reached: scripts and packages end the process


if __name__ == "__main__":
    sys.exit(main())
