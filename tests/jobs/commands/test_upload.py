"""Uploads by command."""

from __future__ import annotations

import pytest

from tests.jobs.conftest import BUCKET, keys, run_jobs


def test_a_folder_is_uploaded_to_the_given_prefix_or_to_that_of_its_content(aws, pictures, capsys):
    assert run_jobs("upload", str(pictures), "--to", f"s3://{BUCKET}/here") == 0
    assert capsys.readouterr().out.startswith(f"s3://{BUCKET}/here: 5 files uploaded") and len(keys("here/")) == 5
    for summary in ("5 files uploaded", "0 files uploaded (0.0 MB), 5 unchanged"):
        assert run_jobs("upload", str(pictures), "--bucket", BUCKET, "--prefix", "p") == 0
        assert summary in capsys.readouterr().out
    assert len(keys("p/data/")) == 5
    (pictures / "a.jpg").write_bytes(b"changed")
    assert run_jobs("upload", str(pictures), "--bucket", BUCKET, "--prefix", "p") == 0
    assert "1 files uploaded (0.0 MB), 0 unchanged, 4 copied in S3" in capsys.readouterr().out
    assert len(keys("p/data/")) == 10


def test_objects_that_are_not_in_the_folder_are_deleted_only_with_delete(aws, pictures, capsys):
    upload = ("upload", str(pictures), "--to", f"s3://{BUCKET}/here")
    assert run_jobs(*upload) == 0
    (pictures / "a.jpg").unlink()
    assert run_jobs(*upload) == 2 and "delete them with --delete" in capsys.readouterr().err
    assert run_jobs(*upload, "--delete") == 0 and "1 deleted" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "flags", "code"), [("n", (), 1), ("y", (), 0), ("n", ("--yes",), 0)])
def test_deleting_objects_asks_on_a_terminal(answer, flags, code, aws, pictures, monkeypatch):
    questions: list[str] = []
    aws("s3").put_object(Bucket=BUCKET, Key="here/other.jpg", Body=b"x")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or answer)
    assert run_jobs("upload", str(pictures), "--to", f"s3://{BUCKET}/here", "--delete", *flags) == code
    assert ("here/other.jpg" in keys("here/")) is (code == 1) and len(keys("here/")) == (1 if code else 5)
    assert questions == (
        [] if flags else [f"delete the objects below s3://{BUCKET}/here that are not in {pictures}? [y/N] "]
    )


def test_invalid_upload_arguments_are_errors(capsys):
    assert run_jobs("upload") == 2 and "expected one folder or file" in capsys.readouterr().err
    assert run_jobs("upload", "nowhere") == 2 and "no such file or folder" in capsys.readouterr().err
    assert run_jobs("upload", ".") == 2 and "--bucket: set it" in capsys.readouterr().err
