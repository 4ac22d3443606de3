"""Pack the images of a folder into a few tar files, which training and inference read as they read the folder: large
files instead of thousands of small ones, for S3 and network disks. Each tar file has an index of its own images, so
that each machine of an inference can be sent its own tar files.

    python -m jobs shards data/train --output data/train-shards
    python -m jobs train --data data/train-shards
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from jobs.spec.command_line import read_flags
from jobs.storage.local_files import local_files
from model.data.readers.image_names import is_image
from model.data.readers.shards import INDEX, read_inner_index, shard_names, write_shards
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("shards", argv, __doc__ or "")
    if len(flags.folder) != 1 or not flags.output:
        raise InputError("name the folder and where its shards go: python -m jobs shards FOLDER --output SHARDS")
    source, target = Path(flags.folder[0]), Path(flags.output)
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder")
    if target.exists():
        raise InputError(f"{target}: is there already")
    if (source / INDEX).exists() or any(read_inner_index(source / name) is not None for name in shard_names(source)):
        raise InputError(f"{source}: its images are in shards already")
    unfinished = target.with_name(f".{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        names = [file.name for file in local_files(source)]
        pictures, shards = write_shards(source, unfinished, names, is_image, flags.shard_mb << 20)
        if not pictures:
            raise InputError(f"{source}: there is no image in it")
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print(f"{target}: {pictures:,} images in {shards:,} shards, {len(names) - pictures:,} other files beside them")
    return ExitCode.DONE
