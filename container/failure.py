"""The files by which SageMaker learns how a job ended: output/failure, output/success and, of a processing job,
output/message (Developer Guide, "How Amazon SageMaker processes training output" and "Build your own processing
container")."""

from __future__ import annotations

import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FAILURE, SUCCESS, MESSAGE = "failure", "success", "message"
MOST = 1024  # characters of a FailureReason, bytes of an ExitMessage
CUT = " ..."
FRAMES = 3


@dataclass(frozen=True)
class Report:
    """Those files in BASE/output. folder: None where nobody reads them; processing: whether it is such a job.

    A place that cannot be written is passed over: how a job ends does not hang on telling so.
    """

    folder: Path | None
    processing: bool = False

    def begin(self) -> None:
        """Removes what an earlier run has told."""
        if self.folder is None:
            return
        for name in (FAILURE, SUCCESS, MESSAGE):
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)

    def failed(self, text: str) -> None:
        """The first failure of a run stands; later ones follow from it."""
        if self.folder is None:
            return
        tell(self.folder / FAILURE, text)
        if self.processing:
            tell(self.folder / MESSAGE, text)

    def succeeded(self, text: str) -> None:
        if self.folder is None or (self.folder / FAILURE).exists():
            return
        tell(self.folder / SUCCESS, "")
        if self.processing:
            tell(self.folder / MESSAGE, text)


def tell(path: Path, text: str) -> None:
    """Writes text, cut to what SageMaker reads, into a file that is not there yet."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            file.write(cut(text, of_bytes=path.name == MESSAGE).encode("utf-8"))


def cut(text: str, of_bytes: bool = False) -> str:
    """At most MOST characters, or bytes of UTF-8, ending where a character does."""
    text = text.strip().encode("utf-8", "backslashreplace").decode("utf-8")
    if not of_bytes:
        return text if len(text) <= MOST else text[: MOST - len(CUT)] + CUT
    encoded = text.encode("utf-8")
    return text if len(encoded) <= MOST else encoded[: MOST - len(CUT)].decode("utf-8", "ignore") + CUT


def exception_text(error: BaseException, remedy: str = "") -> str:
    """Kind and message of an exception first, then the remedy, then where it was raised, innermost first."""
    told = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)[::-1][:FRAMES]
    places = [f"at {Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join([told, *([remedy] if remedy else []), *places, "the log holds the whole traceback"])
