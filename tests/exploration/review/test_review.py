"""The command `python -m exploration review`: its queues, its errors, and the server as a process."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import pytest

from exploration.__main__ import main
from exploration.review.review import ReviewSettings, make_queue, open_review
from model.errors import InputError
from tests.exploration.review.conftest import saved


@contextmanager
def client_of(process):
    """A client that has opened the page and so has its cookie."""
    with httpx.Client(base_url=process.url, verify=False) as client:
        assert client.get(f"/?token={process.token}").status_code == 200, process.output()
        yield client


def raw(process, target, headers=()):
    """The status line and the body of a request whose target no client has normalised."""
    host, port = process.url.removeprefix("http://").split(":")
    lines = [f"GET {target} HTTP/1.1", *(headers or [f"Host: {host}:{port}"]), f"X-Rarebird-Token: {process.token}"]
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode("latin-1")


def refuses_all_but_rows(process):
    """Checks that no path out of the channel, no other site and no other address of the machine reaches the server."""
    assert raw(process, "/image/3").startswith("HTTP/1.1 200")
    up = ("../" * 12, "%2e%2e/" * 12, "..%2f" * 12, "%2e%2e%2f" * 12, "%252e%252e%252f" * 12, "..%5c" * 12, "/" * 3)
    for steps in up:
        for route in ("/", "/image/", "/static/", "/api/image/"):
            answer = raw(process, f"{route}{steps}etc/passwd")
            assert answer.startswith("HTTP/1.1 404") and "root:" not in answer
    port = process.url.rpartition(":")[2]
    for headers in ([f"Host: evil.example:{port}"], [f"Host: 127.0.0.1:{port}", "Origin: http://evil.example"]):
        assert raw(process, "/image/3", headers).startswith("HTTP/1.1 403")
    addresses = [line.split()[1:4:2] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [address for address, state in addresses if state == "0A" and address.endswith(f":{int(port):04X}")]
    assert listening == [f"0100007F:{int(port):04X}"]  # 127.0.0.1


def test_a_killed_server_loses_nothing_that_it_acknowledged(review_process, faces, tmp_path):
    """Two threads post while the server is killed; a new server continues."""
    path = tmp_path / "corrections.csv"
    flags = (str(faces / "train"), "--corrections", str(path), "--reviewer", "ann")
    process = review_process(*flags).ready()
    assert process.output().splitlines()[0] == f"24 groups to review by ann; decisions are saved in {path}"
    acknowledged = []
    enough = threading.Event()

    def post(first):
        with client_of(process) as client:
            for row in range(first, 168, 2):
                try:
                    answer = client.post("/api/decisions", json={"row": row, "attribute": "mask", "action": "keep"})
                except httpx.TransportError:
                    return
                acknowledged.append((answer.json()["decision"]["path"], answer.json()["sequence"]))
                if len(acknowledged) >= 20:
                    enough.set()

    threads = [threading.Thread(target=post, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    assert process.end(signal.SIGKILL) == -signal.SIGKILL
    for thread in threads:
        thread.join()
    rows = {(row.path, row.line) for row in saved(path)}
    assert set(acknowledged) <= rows and len(rows) <= len(acknowledged) + 2
    with client_of(again := review_process(*flags).ready()) as client:
        assert client.get("/api/decisions?after=0").json()["sequence"] == len(rows) + 1
        assert client.post("/api/decisions", json={"row": 167, "attribute": "", "action": "unsure"}).status_code == 200
    assert again.end(signal.SIGINT) == 0
    assert f"1 decisions were saved in {path}; to train with them: python train.py --train_dir" in again.output()
    assert saved(path)[-1].action == "unsure"


def test_two_servers_share_a_file_and_serve_only_their_page(review_process, faces, tmp_path):
    path = tmp_path / "corrections.csv"
    one, two = (
        review_process(str(faces / "train"), "--corrections", str(path), "--reviewer", name) for name in ("ann", "bob")
    )
    one.ready(), two.ready()
    refuses_all_but_rows(one)
    body = {"row": 3, "attribute": "mask", "action": "keep", "after": 1}
    with client_of(one) as first, client_of(two) as second:
        mine = first.post("/api/decisions", json=body).json()["decision"]
        assert second.get("/api/decisions?after=1").json()["decisions"] == [mine]
        refused = second.post("/api/decisions", json={**body, "action": "relabel", "value": "none"})
        assert refused.status_code == 409 and refused.json()["current"] == mine
        theirs = {**body, "action": "relabel", "value": "none", "after": 2}
        assert second.post("/api/decisions", json=theirs).status_code == 200
        (rows,) = first.get("/api/progress").json()["disagreements"]
        assert [row["reviewer"] for row in rows] == ["ann", "bob"]
        assert httpx.get(f"{one.url}/", headers={"X-Rarebird-Token": two.token}, verify=False).status_code == 403
    assert one.end(signal.SIGTERM) == 0 and two.end(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no channel; the first word is its folder"),
        (["{train}", "--suspects", "a", "--search", "b"], "suspects and search each say what to review"),
        (["{train}", "--audit", "a", "--filter", "b=c"], "audit and filter each say what to review"),
        (["{train}/images", "--corrections", "{train}/images/c.csv"], "must not be in the channel"),
        (["{train}x"], "nearest: train"),
        (["{train}", "--search", "nobody"], "search nobody: "),
        (["{train}", "--filter", "mask=worn", "path=nowhere"], "filter mask=worn path=nowhere: "),
        (["{train}", "--filter", "maks=worn"], "nearest: mask"),
        (["{train}", "--suspects", "none.csv"], "none.csv: No such file"),
        (["{train}", "--corrections", "/dev/full/c.csv"], "corrections /dev/full/c.csv"),
        (["{train}", "--port", "70000"], "port"),
        (["{train}", "--reveiwer", "x"], "nearest: reviewer"),
    ],
)
def test_bad_input_exits_with_2(faces, review_cache, capsys, flags, message):
    words = [flag.format(train=faces / "train") for flag in flags]
    assert main(["review", *words, "--cache", str(review_cache)]) == 2
    assert message in capsys.readouterr().err


def test_a_port_in_use_is_an_error(faces, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["review", str(faces / "train"), "--port", str(port)]) == 2
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "source", "level", "count"),
    [
        ({}, "all", "group", 24),
        ({"level": "image"}, "all", "image", 168),
        ({"filter": ["mask=none"]}, "filter", "image", 24),
        ({"filter": ["mask=none"], "level": "group"}, "filter", "group", 24),
        ({"search": "incorrect"}, "search", "image", 24),
    ],
)
def test_queues_of_flags(labels, flags, source, level, count):
    name, items = make_queue(ReviewSettings(channel="c", **flags), labels)
    assert name == source and len(items) == count and {item.level for item in items} == {level}


def test_invalid_files_are_reported_with_their_name(labels, tmp_path):
    (tmp_path / "audit.csv").write_text("path,group\ngone.jpg,\n")
    with pytest.raises(InputError, match=r"audit.csv: 1 problem"):
        make_queue(ReviewSettings(channel="c", audit=str(tmp_path / "audit.csv")), labels)


def test_an_audit_beside_suspects_gives_estimates_only(labels, tmp_path, faces, review_cache):
    rows = [(labels.paths[row], labels.groups[row]) for row in range(14)]
    audit, suspects = tmp_path / "audit.csv", tmp_path / "suspects.csv"
    audit.write_text("path,group\n" + "".join(f"{path},{group}\n" for path, group in rows))
    header = "path,group,attribute,level,given,suggested,score,reason,neighbours\n"
    suspects.write_text(f"{header}{labels.paths[3]},{labels.groups[3]},mask,image,worn,none,0.5,Why.,[]\n")
    files = {"corrections": str(tmp_path / "c.csv"), "cache": str(review_cache)}
    settings = ReviewSettings(channel=str(faces / "train"), audit=str(audit), suspects=str(suspects), **files)
    assert not list(settings.contradictions())
    review = open_review(settings, 8765)
    assert review.data.source == "suspects" and [item.images for item in review.data.items] == [(3,)]
    assert review.audit is not None and len(review.audit.positions) == 2
    review = open_review(replace(settings, suspects=None), 8765)
    assert review.data.source == "audit" and len(review.data.items) == len(review.audit.positions) == 2


def test_the_reviewer_has_a_name_without_a_login(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ann")
    settings = ReviewSettings(channel="c")
    assert settings.reviewer_name == "ann"

    def nobody():
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert settings.reviewer_name == "reviewer"
    assert ReviewSettings(channel="c", reviewer="bob").reviewer_name == "bob"
