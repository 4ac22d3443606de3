"""ImageLocation: an image's file in a channel, or its byte range in a shard (a tar file)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageLocation:
    """Location of one image in a channel.

    Attributes:
        path: Name of the image, relative to the channel, with `/`.
        shard: Shard, relative to the channel, that contains the image; None if the image is the file `path`.
        offset: First byte of the image in the shard.
        size: Size of the image in the shard in bytes; -1 if it is not in a shard.
    """

    path: str
    shard: str | None = None
    offset: int = 0
    size: int = -1

    @property
    def file(self) -> str:
        """The file to open, relative to the channel."""
        return self.path if self.shard is None else self.shard
