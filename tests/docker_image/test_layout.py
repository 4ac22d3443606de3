"""What is in the image and what is not, what its metadata say, and what a change of code rebuilds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.image

ROOT = Path(__file__).resolve().parents[2]
COMPILED = ("markupsafe", "pyyaml", "pillow", "numpy", "pandas")  # small wheels, one a Python
LARGEST = 6_000_000_000  # bytes, on Debian's base
NEEDLESS = r"""
find /opt/ml /tmp /var/lib/apt/lists /var/cache/apt -mindepth 1 2>/dev/null
find /root -path '*/.cache/*'
command -v cc gcc g++ clang nvcc make strip
find / -xdev -name '*.a'
find /opt/venv -path '*/site-packages/*' \( -name '*.h' -o -type d -name tests -o -type d -name include \)
find /opt /root /home /tmp -xdev \( -name .env -o -name .git -o -name .netrc -o -name pip.conf -o -name id_rsa \)
exit 0
"""


@pytest.fixture(scope="module")
def described(image, docker) -> dict:
    return json.loads(docker("image", "inspect", image).stdout)[0]


def test_the_image_says_how_it_is_run(described):
    config = described["Config"]
    assert config["Entrypoint"] == ["python3", "-m", "container.entrypoint"] and config["Cmd"] == ["train"]
    assert config["WorkingDir"] == "/opt/program" and config["User"] in ("", "root")
    for capability in ("accept-bind-to-port", "multi-models"):
        assert config["Labels"][f"com.amazonaws.sagemaker.capabilities.{capability}"] == "true"
    variables = dict(text.split("=", 1) for text in config["Env"])
    assert variables["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert variables["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert variables["PYTHONUNBUFFERED"] == "1" and variables["PYTHONPATH"] == "/opt/program"


def test_it_is_small_and_holds_nothing_that_no_job_needs(engine, described):
    assert described["Size"] <= LARGEST
    found = engine.start("bash", "-c", NEEDLESS).ends_with(0)
    assert found.splitlines() == []


def test_programs_that_clients_call_are_on_path_and_the_packages_fit(engine):
    log = engine.start("bash", "-c", "command -v python python3 pip bash chmod tee && pip check").ends_with(0)
    assert "No broken requirements found" in log


def test_python_begins_with_compiled_modules(engine):
    log = engine.start(
        "python3",
        "-c",
        "import train, model.network as n, torch, importlib.util as u, os;"
        "print([os.path.exists(u.cache_from_source(m.__file__)) for m in (train, n, torch)])",
    ).ends_with(0)
    assert "[True, True, True]" in log


def test_a_quota_of_processor_time_counts_as_cores(engine):
    program = "from model.runtime.workers import cpu_count; print('cores', cpu_count())"
    assert "cores 1\n" in engine.start("python", "-c", program, options=("--cpus", "1")).ends_with(0)


def test_a_change_of_code_rebuilds_no_wheel(build, image, docker, described, tmp_path):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, tmp_path / name)
    with (tmp_path / "train.py").open("a") as code:
        code.write("# changed\n")
    changed = build(tmp_path, "rarebird:test-changed")
    layers = json.loads(docker("image", "inspect", changed).stdout)[0]["RootFS"]["Layers"]
    before = described["RootFS"]["Layers"]
    docker("image", "rm", changed)
    wheels = [same for same in layers if same in before]
    assert len(layers) - len(wheels) == 2  # the code, and its compiled form
    assert layers[: len(wheels)] == before[: len(wheels)]


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_the_lock_holds_hashed_wheels_for_the_pythons_of_both_bases(version, tmp_path):
    """Resolved for a Python that need not be here; some of the wheels made for it are compared with their hashes."""
    command = [Path(sys.executable).with_name("uv"), "pip", "install", "--dry-run", "--target", tmp_path]
    command += ["--python-version", version, "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:"]
    command += ["--no-deps", "--require-hashes", "--no-config", "-r", ROOT / "requirements.lock"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    for name in ("torch", "torchvision", "timm", "pandas", "scikit-learn", "nvidia-cudnn-cu13"):
        assert f" + {name}==" in ended.stderr
    locked = (ROOT / "requirements.lock").read_text()
    chosen = [re.search(rf"^{name}==.*?(?=^\S|\Z)", locked, re.MULTILINE | re.DOTALL) for name in COMPILED]
    (tmp_path / "some.lock").write_text("".join(entry[0] for entry in chosen if entry))
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in range(5, 29)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", tmp_path / "wheels", *platforms]
    command += [f"--python-version={version}", "--implementation=cp", "--only-binary=:all:", "--no-deps"]
    ended = subprocess.run([*command, "--require-hashes", "-r", tmp_path / "some.lock"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    tag = f"-cp{version.replace('.', '')}-"
    assert sum(tag in path.name for path in (tmp_path / "wheels").iterdir()) == len(COMPILED)


def test_the_lock_is_that_of_the_requirements():
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    locked = (ROOT / "requirements.lock").read_text().lower()
    assert [pin for pin in pins if f"\n{pin.lower()} " not in locked] == []
