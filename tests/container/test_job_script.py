"""Exit codes and messages of a job, seen from outside: most run in a process of their own."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

from container import job_script

ROOT = Path(__file__).resolve().parents[2]


def run(body: str, **env: str) -> subprocess.CompletedProcess[str]:
    head = "import sys, logging\nfrom container import job_script\nlog = logging.getLogger('rarebird')\n"
    script = f"{head}{body}\njob_script.run(main)"
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **env}
    return subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("def main(): return 0", 0, ""),
        (
            "from model.errors import InputError\ndef main(): raise InputError('no such folder')",
            2,
            "error: no such folder\n",
        ),
        ("from model.errors import Failure\ndef main(): raise Failure('not finite')", 1, "error: not finite\n"),
        ("def main(): raise KeyboardInterrupt", 130, "stopped by Ctrl-C\n"),
        ("def main(): raise SystemExit(5)", 5, ""),
    ],
)
def test_exit_codes_and_messages(body, code, message):
    ended = run(body)
    assert (ended.returncode, ended.stderr) == (code, message)


def test_garbage_is_collected_again_when_a_job_starts():
    ended = run("import gc\ngc.disable()\ndef main(): print(gc.isenabled())")
    assert ended.stdout == "True\n"


def test_an_unexpected_exception_is_printed_with_its_traceback():
    ended = run("def main(): return 1 // 0")
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr and "line" in ended.stderr


def test_out_of_memory_names_settings_that_need_less():
    ended = run("def main(): raise MemoryError('20 GB')")
    assert ended.returncode == 1
    assert "batch_size" in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("SIGKILL", 137, "a loader worker was killed, probably out of memory: use fewer num_workers"),
        ("SIGSEGV", 1, "a loader worker was killed by a signal: Segmentation fault\n"),
        ("SIGBUS", 1, "a loader worker was killed by a signal: Bus error; /dev/shm may be full: use fewer num_workers"),
    ],
)
def test_a_loader_worker_that_a_signal_ended_is_reported(name, code, message, monkeypatch, capsys):
    """In this process, where torch is imported."""
    monkeypatch.setattr(job_script, "start_log", lambda stream: None)  # it would take the log from the tests after this
    with pytest.raises(SystemExit) as ended:
        job_script.run(lambda: len(list(DataLoader(Killed(getattr(signal, name)), num_workers=1))))
    assert ended.value.code == code
    assert f"error: {message}" in capsys.readouterr().err


class Killed(Dataset):
    """Images whose loader gets a signal."""

    def __init__(self, number: int):
        self.number = number

    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> None:
        os.kill(os.getpid(), self.number)


def test_korean_names_are_printed_in_an_ascii_locale():
    body = "def main():\n log.info('\\ucc29\\uc6a9\\uc0f7'); print('\\ubbf8\\ubd84\\ub958', file=sys.stderr); return 0"
    ended = run(body, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (ended.stdout, ended.stderr) == ("착용샷\n", "미분류\n")


def test_warnings_are_marked_and_other_ranks_are_quiet():
    body = "def main():\n log.info('plan'); log.warning('twice'); return 0"
    assert run(body).stdout == "plan\nwarning: twice\n"
    assert run(body, RANK="1").stdout == ""


def test_sigterm_exits_with_143_after_cleaning_up(tmp_path):
    ended = run(f"""
import os, signal
from pathlib import Path
from model.atomic_write import write_beside
def main():
    with write_beside(Path({str(tmp_path)!r}) / "a.csv") as beside:
        beside.touch()
        os.kill(os.getpid(), signal.SIGTERM)
""")
    assert ended.returncode == 143 and "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").touch()
    ended = run(f"def main(): open({str(tmp_path / 'file' / 'a')!r}, 'w')")
    assert ended.returncode == 2 and "file/a: Not a directory" in ended.stderr and "Traceback" not in ended.stderr


def test_other_operating_system_errors_are_failures():
    ended = run("def main(): raise OSError(28, 'No space left on device', 'a.csv')")
    assert ended.returncode == 1 and "a.csv: No space left on device" in ended.stderr


MANY = """
from model.errors import Problems
def main():
    problems = Problems('channel')
    for row in range(30): problems.add('broken', f'{row}.jpg')
    problems.raise_if_any()
"""


def with_settings(*flags: str) -> str:
    """MANY, after its settings are read from these flags."""
    reading = f"settings_layers.read(TRAIN, {list(flags)!r}, '')"
    return f"""
from container import settings_layers
from container.job_types import TRAIN
{MANY.replace("main():", f"main():{chr(10)}    {reading}")}"""


def test_a_long_list_of_problems_is_written_to_a_file(tmp_path):
    """To the output directory, by variable or setting; without one that can be written, to a temporary folder."""
    (tmp_path / "file").touch()
    (tmp_path / "a.yaml").write_text(f"output_data_dir: {tmp_path / 'experiment'}\n")
    ended = {
        "output": run(MANY, SM_OUTPUT_DATA_DIR=str(tmp_path / "output")),
        "flag": run(with_settings("--output-data-dir", str(tmp_path / "flag"))),
        "equals": run(with_settings(f"--output_data_dir={tmp_path / 'equals'}")),
        "experiment": run(with_settings(f"--config={tmp_path / 'a.yaml'}")),
        "temporary": run(MANY, TMPDIR=str(tmp_path)),
        "full": run(MANY, SM_OUTPUT_DATA_DIR=str(tmp_path / "file" / "x"), TMPDIR=str(tmp_path)),
    }
    for name, process in ended.items():
        *_, last = process.stderr.splitlines()
        path = Path(last.removeprefix("all of them: "))
        assert process.returncode == 2 and "    ... and 10 more" in process.stderr and "29.jpg" not in process.stderr
        assert path.name == "problems.txt" and (tmp_path / name == path.parent or name in ("temporary", "full"))
        assert [f"{row}.jpg" in path.read_text() for row in range(30)] == [True] * 30
    assert len(list(tmp_path.glob("rarebird-*/problems.txt"))) == 2


def test_a_short_list_of_problems_is_only_printed(tmp_path):
    ended = run(MANY.replace("range(30)", "range(20)"), SM_OUTPUT_DATA_DIR=str(tmp_path / "output"))
    assert ended.returncode == 2 and "19.jpg" in ended.stderr and not list(tmp_path.iterdir())


def end_early(*commands: str, **env: str) -> list[tuple[int, str]]:
    """Runs scripts up to where they end, one after the other in one process, as commands in the working folder.

    Returns:
        Of each, its exit code and what it prints.
    """
    body = f"""
import contextlib, io, runpy, sys
heavy = {{"torch", "torchvision", "timm", "pandas", "numpy", "PIL", "scipy", "sklearn"}}
for command in {list(commands)!r}:
    script, *flags = command.split()
    sys.argv = [script, *flags]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            runpy.run_path(f"{ROOT}/{{script}}", run_name="__main__")
    except SystemExit as ended:
        assert not heavy & set(sys.modules), (command, heavy & set(sys.modules))
        print(repr((int(ended.code or 0), out.getvalue())))
"""
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **env}
    ended = subprocess.run([sys.executable, "-c", body], env=environ, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return list(map(ast.literal_eval, ended.stdout.splitlines()))


def test_texts_and_input_errors_end_before_heavy_imports():
    Path("a.yaml").write_text("epocs: 3\n")
    cases = {
        "train.py --help": (0, "usage: python train.py"),
        "train.py --help-all": (0, "--effective_beta"),
        "train.py --version": (0, "rarebird "),
        "inference.py -h": (0, "usage: python inference.py"),
        "inference_TTA.py --help": (0, "default: 4"),
        "evaluation.py --help-all": (0, "compared.csv"),
        "train.py --epochz 3": (2, "error: settings:\n  --epochz: there is no such setting; nearest: epochs\n"),
        "train.py --epochs many": (2, "--epochs = 'many': expected a whole number"),
        "train.py --config a.yaml": (2, "a.yaml: epocs: there is no such setting; nearest: epochs"),
        "train.py": (2, "error: the channel `train` is missing"),
        "train.py --train_dir photos": (2, "error: train_dir photos: there is no such folder"),
        "inference.py --num_ta 2": (2, "--num_ta: there is no such setting; nearest: num_tta"),
        "inference_TTA.py": (2, "error: no model was given"),
        "evaluation.py": (2, "error: the ground truth is missing"),
    }
    for (command, (code, text)), (ended_with, out) in zip(cases.items(), end_early(*cases), strict=True):
        assert ended_with == code and text in out, (command, ended_with, out)


def test_an_early_error_is_reported_like_one_of_the_job(tmp_path):
    """To SageMaker, or to the supervisor; the first of several processes alone prints it."""
    (tmp_path / "input").mkdir()
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "success").touch()
    end_early("train.py --epochz 3", SAGEMAKER_BASE_DIR=str(tmp_path))
    assert "nearest: epochs" in (tmp_path / "output" / "failure").read_text()
    assert not (tmp_path / "output" / "success").exists()
    ((_, printed),) = end_early("train.py --epochz 3", RAREBIRD_FAILURE_FILE=str(tmp_path / "reason"), RANK="1")
    assert "nearest: epochs" in (tmp_path / "reason").read_text() and not printed
