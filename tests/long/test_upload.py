"""A folder of many small images to S3: killed half-way and run again, with bounded memory. With
RAREBIRD_TEST_PICTURES=20000 it takes ten minutes, nearly all of them the server's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from jobs.storage.s3 import S3Uri, list_objects

PICTURES = int(os.environ.get("RAREBIRD_TEST_PICTURES", "2000"))
MOST_MB = 250  # resident, of which Python with boto3 takes about 90
# A small process starts it: what is told of a child's memory counts its parent's, as it was at fork (getrusage(2)).
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak KiB", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("flags", "uri"),
    [
        (["--to", "s3://many-pictures/data/"], "s3://many-pictures/data/"),
        (["--bucket", "many-pictures"], "s3://many-pictures/rarebird/data/"),  # the prefix of the folder's content
    ],
    ids=["to", "content"],
)
def test_many_images(flags: list[str], uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        account = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
        for name, value in {**account, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            monkeypatch.setenv(name, value)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="many-pictures")
        for number in range(PICTURES):
            path = tmp_path / "data" / f"{number % 100:02d}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(2000))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        command = [sys.executable, "-m", "jobs", "upload", str(tmp_path / "data"), *flags]
        root = Path(__file__).resolve().parents[2]
        first = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
        while sum(1 for _ in list_objects(s3, S3Uri.parse(uri))) < PICTURES // 2:
            assert first.poll() is None
            time.sleep(0.5 if PICTURES < 10_000 else 2)
        first.send_signal(signal.SIGKILL)
        first.wait()
        there = sum(1 for _ in list_objects(s3, S3Uri.parse(uri)))
        assert PICTURES // 2 <= there < PICTURES

        measured = [sys.executable, "-c", MEASURED, *command]
        second = subprocess.run(measured, cwd=root, capture_output=True, text=True)
        assert second.returncode == 0, second.stderr
        told, _, peak = second.stdout.rpartition("peak KiB ")
        assert f"{PICTURES - there:,} files uploaded" in told and f"{there:,} unchanged" in told
        assert sum(1 for _ in list_objects(s3, S3Uri.parse(uri))) == PICTURES
        print(f"{PICTURES:,} images, {there:,} before it was killed; at most {int(peak) / 1024:.0f} MiB")
        assert int(peak) / 1024 < MOST_MB
    finally:
        server.stop()
