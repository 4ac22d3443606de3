"""The files from which SageMaker reads how a job ended: output/failure, output/success and, for a processing job,
output/message.

Source: SageMaker Developer Guide, "How Amazon SageMaker Processes Training Output" and "Build Your Own Processing
Container".
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FAILURE, SUCCESS, MESSAGE = "failure", "success", "message"
MAX_LENGTH = 1024  # characters of a FailureReason, bytes of an ExitMessage
ELLIPSIS = " ..."
FRAMES = 3  # of a traceback that the failure file shows


@dataclass(frozen=True)
class Report:
    """Writes these files. A file that cannot be written is skipped, so that it does not change how the job ends.

    Attributes:
        folder: BASE/output; None to write no files.
        processing: Whether this is a processing job, which also writes output/message.
    """

    folder: Path | None
    processing: bool = False

    def begin(self) -> None:
        """Removes the files of an earlier run."""
        if self.folder is None:
            return
        for name in (FAILURE, SUCCESS, MESSAGE):
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)

    def failed(self, text: str) -> None:
        """Writes why the job failed. The first reason of a run is kept; later failures are consequences of it."""
        if self.folder is None:
            return
        write_once(self.folder / FAILURE, text)
        if self.processing:
            write_once(self.folder / MESSAGE, text)

    def succeeded(self, text: str) -> None:
        """Writes that the job succeeded, unless a failure is written already."""
        if self.folder is None or (self.folder / FAILURE).exists():
            return
        write_once(self.folder / SUCCESS, "")
        if self.processing:
            write_once(self.folder / MESSAGE, text)


def write_once(path: Path, text: str) -> None:
    """Writes text, cut to the length that SageMaker reads, into a new file. Does nothing if the file exists or on
    OSError."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            file.write(cut(text, in_bytes=path.name == MESSAGE).encode("utf-8"))


def cut(text: str, in_bytes: bool = False) -> str:
    """Cuts text to at most MAX_LENGTH characters.

    Args:
        text: The text.
        in_bytes: Whether MAX_LENGTH counts bytes of UTF-8; no character is split.
    """
    text = text.strip().encode("utf-8", "backslashreplace").decode("utf-8")
    if not in_bytes:
        return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - len(ELLIPSIS)] + ELLIPSIS
    encoded = text.encode("utf-8")
    if len(encoded) <= MAX_LENGTH:
        return text
    return encoded[: MAX_LENGTH - len(ELLIPSIS)].decode("utf-8", "ignore") + ELLIPSIS


def exception_text(error: BaseException, remedy: str = "") -> str:
    """Describes an exception for the failure file: type and message, remedy, and the innermost frames.

    Args:
        error: The exception.
        remedy: What the user can do, "" if it is not known.
    """
    message = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)[::-1][:FRAMES]
    lines = [f"at {Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join([message, *([remedy] if remedy else []), *lines, "the log has the whole traceback"])
