"""The entry point: jobs, exit codes, signals and the files for SageMaker. Each job is a real child process."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import train
from container.entrypoint import processes_of
from container.job_types import EVALUATION, INFERENCE, INFERENCE_TTA, SERVE, TRAIN
from container.project_root import PROJECT_ROOT
from container.supervise import children
from model import __version__
from model.artifacts.verify import model_problem
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings
from tests.container.conftest import write_config

SAVED = "save(BASE + '/model')"


def until(file: Path, process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Waits for a file that a job creates."""
    end = time.monotonic() + seconds
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def failure(tree: Path) -> str:
    return (tree / "output" / "failure").read_text(encoding="utf-8")


def is_success(tree: Path) -> bool:
    return (tree / "output" / "success").exists() and not (tree / "output" / "failure").exists()


def test_a_job_that_saves_its_model_is_a_success(run, tree):
    for name in ("failure", "success"):
        (tree / "output").mkdir(exist_ok=True)
        (tree / "output" / name).write_text("of an earlier run")
    ended = run(SAVED)
    assert ended.returncode == 0, ended.stderr
    assert is_success(tree) and (tree / "output" / "success").read_text() == ""


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        ("from model.errors import InputError; raise InputError('no such folder; nearest: a')", 2, "no such folder"),
        ("from model.errors import Failure; raise Failure('not finite: try a lower --lr')", 1, "not finite: try"),
        ("{}['epochs']", 1, "KeyError: 'epochs'\nat train.py"),
        ("raise MemoryError('20 GB')", 1, "out of memory: 20 GB; use a smaller batch_size"),
        ("raise RuntimeError('착용' * 2000)", 1, "RuntimeError: 착용착용"),
        ("return 7", 7, "ended with exit code 7"),
        ("os._exit(9)", 9, "train ended with exit code 9"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "train was killed by SIGKILL, probably because memory"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 1, "train was killed by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGBUS)", 1, "SIGBUS; /dev/shm may be full"),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", 143, "stopped by SIGTERM"),
        ("raise KeyboardInterrupt", 130, "stopped by Ctrl-C"),
        ("raise SystemExit(5)", 5, "train ended with exit code 5"),
        (
            "raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')",
            137,
            "a loader worker was killed, probably out of memory: use fewer num_workers",
        ),
    ],
)
def test_the_exit_code_and_the_failure_file_report_how_a_job_ended(run, tree, body, code, expected):
    ended = run(body)
    assert ended.returncode == code, ended.stderr
    text = failure(tree)
    assert text.startswith(expected) or expected in text.splitlines()[0]
    assert len(text) <= 1024 and not (tree / "output" / "success").exists()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", "no model was saved in"),
        ("save(BASE + '/model'); Path(BASE + '/model/labels.json').unlink()", "missing files: labels.json"),
        ("save(BASE + '/model'); Path(BASE + '/model/labels.json').write_text('{')", "labels.json cannot be read"),
        (
            "save(BASE + '/model')\nwith open(BASE + '/model/model.safetensors', 'r+b') as file: file.truncate(70)",
            "model.safetensors has 70 bytes, but its header describes",
        ),
        ("save(BASE + '/model'); Path(BASE + '/model/model.safetensors').write_bytes(b'x' * 99)", "cannot be read"),
        (
            "save(BASE + '/model/a')\nPath(BASE + '/model/ensemble.json').write_text("
            "json.dumps({'members': [{'model': 'a'}, {'model': 'b'}]}))",
            "contains no saved model",
        ),
    ],
)
def test_a_training_that_saves_no_valid_model_has_failed(run, tree, body, expected):
    ended = run(body)
    assert ended.returncode == 1 and expected in failure(tree), (ended.stderr, failure(tree))
    assert expected in ended.stderr


def test_the_model_of_an_earlier_run_does_not_count(run, tree):
    assert run(SAVED).returncode == 0
    assert run("pass").returncode == 1 and "no model was saved" in failure(tree)


def test_a_new_model_is_recognised_if_the_clock_of_its_mount_is_behind(run, tree):
    for seconds in (1e9, 9e8):
        ended = run(SAVED + f"\nos.utime(BASE + '/model/metrics.json', ({seconds}, {seconds}))")
        assert ended.returncode == 0, ended.stderr


def test_a_model_outside_of_opt_ml_counts(run, tree, tmp_path):
    models = tmp_path / "runs"
    ended = run(f"save({str(models / 'exp1')!r})", SM_MODEL_DIR=str(models))
    assert ended.returncode == 0, ended.stderr
    assert run("pass", "train", "--model_dir", str(models), "--name", "other").returncode == 1


def test_a_job_that_saves_its_model_on_sigterm_is_a_success(start, tree):
    process = start(
        "def stop(*_):\n"
        "    save(BASE + '/model', finished=False)\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "Path(BASE + '/ready').touch()\n"
        "time.sleep(60)"
    )
    until(tree / "ready", process)
    process.terminate()
    assert process.wait(60) == 0 and is_success(tree)


def test_a_job_that_is_stopped_after_it_saved_its_model_is_a_success(start, tree):
    process = start("save(BASE + '/model')\nPath(BASE + '/ready').touch()\ntime.sleep(60)")
    until(tree / "ready", process)
    process.terminate()
    assert process.wait(60) == 0 and is_success(tree)


def test_a_job_that_is_stopped_before_it_saved_a_model_has_failed(start, tree):
    process = start("Path(BASE + '/ready').touch()\ntime.sleep(60)")
    until(tree / "ready", process)
    process.terminate()
    assert process.wait(60) == 143 and "stopped by SIGTERM" in failure(tree)


def test_a_server_that_is_stopped_before_it_serves_ends_with_0(start):
    process = start("pass", "serve")
    while not children(process.pid):
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert process.wait(60) == 0


def test_ctrl_c_on_a_terminal_reaches_the_job_only_through_its_supervisor(start, tree):
    """A terminal sends SIGINT to its whole foreground group. A second one would end the job before its checkpoint."""
    process = start(
        "signal.signal(signal.SIGINT, lambda *_: Path(BASE + '/interrupted').touch())\n"
        "Path(BASE + '/ready').touch()\n"
        "while not os.path.exists(BASE + '/interrupted'): time.sleep(0.05)\n"
        "return 130",
    )
    until(tree / "ready", process)
    process.send_signal(signal.SIGSTOP)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1)
    assert not (tree / "interrupted").exists()
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 130


def test_processes_that_outlive_a_job_are_ended_and_reaped(run, tree):
    """A grandchild with its own session outlives the job, like a loader worker of a killed job."""
    ended = run(
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "        Path(BASE + '/orphan').write_text(str(os.getpid()))\n"
        "        os.close(1); os.close(2)\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
        "while not os.path.exists(BASE + '/orphan'): time.sleep(0.02)\n"
        "os.wait()\n" + SAVED
    )
    assert ended.returncode == 0
    assert not Path(f"/proc/{(tree / 'orphan').read_text()}").exists()


def test_the_job_ends_with_its_supervisor(start, tree):
    process = start("Path(BASE + '/ready').write_text(str(os.getpid()))\ntime.sleep(60)")
    until(tree / "ready", process)
    job = int((tree / "ready").read_text() or 0)
    process.kill()
    process.wait()
    end = time.monotonic() + 30
    while os.path.exists(f"/proc/{job}") and time.monotonic() < end:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{job}")


def test_bad_settings_are_an_error_before_anything_is_started(run, tree):
    ended = run("print('started')", "train", "--epocs", "3")
    assert ended.returncode == 2 and "started" not in ended.stdout
    assert "--epocs: there is no such setting; nearest: epochs" in ended.stderr
    assert ended.stderr.count("epocs") == 1 and "nearest: epochs" in failure(tree)


@pytest.mark.parametrize(
    ("word", "nearest"), [("trian", "train"), ("inference_tta", "inference_TTA"), ("sreve", "serve")]
)
def test_an_unknown_job_is_an_error_with_the_nearest_name(run, tree, word, nearest):
    (tree / "output").mkdir()
    (tree / "output" / "success").touch()
    ended = run("pass", word)
    assert f"nearest: {nearest}" in failure(tree) and not (tree / "output" / "success").exists()
    assert ended.returncode == 2 and f"nearest: {nearest}" in ended.stderr and "Traceback" not in ended.stderr


def test_a_job_may_be_called_by_its_script_and_gets_its_flags(run, tree):
    ended = run("print(sys.argv[1:])\n" + SAVED, "train.py", "--epochs", "3")
    assert ended.returncode == 0 and "['--epochs', '3']" in ended.stdout


def test_a_host_whose_instance_group_does_not_train_ends_at_once(run, tree):
    hosts = {"algo-1": "ml.c5.xlarge", "algo-2": "ml.g5.xlarge"}
    groups = [{"instance_group_name": name, "instance_type": hosts[name], "hosts": [name]} for name in hosts]
    write_config(tree, "resourceconfig.json", {"current_host": "algo-1", "hosts": [*hosts], "instance_groups": groups})
    ended = run("raise RuntimeError")
    assert ended.returncode == 2 and "have different instance types" in failure(tree)
    write_config(tree, "hyperparameters.json", {"sagemaker_distribution_instance_groups": '["algo-2"]'})
    ended = run("raise RuntimeError")
    assert ended.returncode == 0 and is_success(tree), ended.stderr
    assert ended.stdout == "this host's instance group does not train; nothing to do\n"


@pytest.mark.parametrize("flag", ["--help-all", "--version"])
def test_texts_of_a_job_are_printed_by_its_script(run, tree, flag):
    ended = run("print('text of', sys.argv[1])\nraise SystemExit(0)", "train", flag)
    assert ended.returncode == 0 and f"text of {flag}" in ended.stdout
    assert not (tree / "output").exists() or not list((tree / "output").iterdir())


def test_the_version_is_printed_without_a_job(run):
    ended = run("pass", "--version")
    assert (ended.returncode, ended.stdout) == (0, f"rarebird {__version__}\n")


def test_a_program_replaces_the_entry_point_and_gets_the_variables(run, tree):
    body = "import os; print(os.getpid(), os.environ['SM_MODEL_DIR'], os.environ['SM_HOSTS'])"
    ended = run("pass", sys.executable, "-c", body)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split()[1:] == [str(tree / "model"), '["algo-1"]']
    assert run("pass", "bash", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("content", ["{", '{"hosts": 7}'])
def test_a_program_runs_even_if_a_config_file_is_damaged(run, tree, content):
    (tree / "input" / "config" / "resourceconfig.json").write_text(content)
    ended = run("pass", "bash", "-c", "echo $SAGEMAKER_BASE_DIR")
    assert (ended.returncode, ended.stdout) == (0, f"{tree}\n")
    assert ended.stderr.startswith("warning: the SM_* variables are not set: ") and ended.stderr.count("\n") == 1
    assert run("pass", "train").returncode != 0


def test_a_job_gets_the_variables_and_those_set_already_are_kept(run, tree):
    body = "print(os.environ['SM_OUTPUT_DIR'], os.environ['SM_MODEL_DIR'])\nsave(os.environ['SM_MODEL_DIR'] + '/exp')"
    ended = run(body, SM_MODEL_DIR=str(tree / "mine"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [str(tree / "output"), str(tree / "mine")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_in_a_mounted_folder_belong_to_its_owner(run, tree):
    (tree / "model").mkdir()
    os.chown(tree / "model", 1234, 1235)
    (tree / "output").mkdir()
    os.chown(tree / "output", 1234, 1235)
    (tree / "model" / "killed").touch()  # left by a run that was killed
    (tree / "model" / "theirs").touch()
    os.chown(tree / "model" / "theirs", 77, 78)
    (tree / "beside").touch()
    assert run(SAVED + "\nos.mkdir(BASE + '/model/deep')\nPath(BASE + '/model/deep/a').touch()").returncode == 0
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in tree.rglob("*")}
    theirs = (1234, 1235)
    assert owners["model.safetensors"] == owners["deep"] == owners["a"] == owners["success"] == theirs
    assert owners["killed"] == theirs and owners["theirs"] == (77, 78) and owners["beside"] == (0, 0)


def test_a_failure_file_that_cannot_be_written_does_not_change_the_exit_code(run, tree):
    (tree / "output").write_text("a file where the folder should be")
    assert run("return 3").returncode == 3


def test_the_output_of_training_is_next_to_the_model_if_opt_ml_is_not_writable(run, tree, tmp_path):
    (tree / "output").write_text("a file where the folder should be")
    body = (
        "from container.environment import Environment\n"
        "from container.locations import Locations\n"
        "print(Locations(Environment()).training_output_dir(None), os.environ['SM_OUTPUT_DATA_DIR'])\n" + SAVED
    )
    assert run(body).stdout.split() == ["None", str(tree / "output" / "data")]
    mine = str(tmp_path / "mine")
    assert run(body, SM_OUTPUT_DATA_DIR=mine).stdout.split() == [mine, mine]


SMALL = {"model": "test_resnet", "pretrained": "False", "input_size": "[32, 24]", "batch_size": "32"}
SMALL |= {"num_workers": "0", "device": "cpu", "precision": "fp32", "validation": "0", "checkpoint_seconds": "0"}


def start_train(tree: Path, **hyperparameters: str) -> subprocess.Popen[str]:
    (tree / "input" / "config" / "hyperparameters.json").write_text(json.dumps(SMALL | hyperparameters))
    command = [sys.executable, "-m", "container.entrypoint", "train"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=PROJECT_ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


class Resumed(Exception):
    """Ends a training that has resumed."""


def end_when_resumed(record: logging.LogRecord) -> bool:
    """A filter of log lines."""
    if "resumed epoch=" in record.getMessage():
        raise Resumed
    return True


@pytest.mark.parametrize("processes", ["0", pytest.param("2", marks=pytest.mark.long)])
def test_a_stopped_run_saves_its_model_and_the_same_command_resumes_it(tree, faces, processes, caplog, monkeypatch):
    shutil.copytree(faces / "train", tree / "input" / "data" / "train", dirs_exist_ok=True)
    first = start_train(tree, epochs="500", processes_per_host=processes)
    end = time.monotonic() + 400
    while not list((tree / "checkpoints" / "exp").glob("checkpoint-0000*.pt")):
        assert first.poll() is None and time.monotonic() < end, first.communicate()[0]
        time.sleep(0.05)
    first.terminate()
    log, _ = first.communicate(timeout=300)
    assert first.returncode == 0, log
    assert "stopped by SIGTERM; the same command resumes" in log
    assert (
        model_problem(tree / "model") is None
        and not json.loads((tree / "model" / "metrics.json").read_text())["finished"]
    )
    assert (tree / "output" / "success").exists() and not (tree / "output" / "failure").exists()
    assert not [path for path in (tree / "model").rglob("*") if path.suffix == ".pt"]

    if processes == "0":  # one process: in this one, where torch is imported already
        caplog.set_level(logging.INFO, "rarebird")
        monkeypatch.setattr(logging.getLogger("rarebird"), "filters", [end_when_resumed])
        with pytest.raises(Resumed):
            train.main([])
        return
    second = start_train(tree, epochs="500", processes_per_host=processes)
    lines = []
    assert second.stdout is not None
    while not any("resumed epoch=" in line for line in lines):
        line = second.stdout.readline()
        assert line, "".join(lines)
        lines.append(line)
    second.kill()
    second.communicate()


def test_inference_starts_one_process_per_gpu_and_one_for_single_images(monkeypatch):
    monkeypatch.setattr("container.torchrun.gpu_count", lambda: 4)
    assert processes_of(INFERENCE, InferenceSettings(), {}) == 4
    assert processes_of(INFERENCE_TTA, InferenceSettings(processes=3), {}) == 3
    assert processes_of(INFERENCE, InferenceSettings(device="cpu"), {}) == 1
    assert processes_of(INFERENCE, InferenceSettings(processes=2, device="cpu"), {}) == 2
    assert processes_of(INFERENCE, InferenceSettings(pictures=["a.jpg"]), {}) == 1
    assert processes_of(TRAIN, TrainSettings(processes_per_host=2), {}) == 2
    assert processes_of(EVALUATION, EvaluationSettings(), {}) == processes_of(SERVE, None, {}) == 1
