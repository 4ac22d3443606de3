"""Where the bytes of one image lie in a channel: a file of its own, or a byte range of a shard (a tar file)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageLocation:
    """Location of one image in a channel.

    Attributes:
        path: Name of the image, relative to the channel, with `/`.
        shard: File, relative to the channel, that holds the image's bytes; None where the image is the file `path`.
        offset: First byte of the image in the shard.
        size: Bytes of the image in the shard, -1 where it is a file of its own.
    """

    path: str
    shard: str | None = None
    offset: int = 0
    size: int = -1

    @property
    def file(self) -> str:
        """The file to open, relative to the channel."""
        return self.path if self.shard is None else self.shard
