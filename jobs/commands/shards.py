"""Pack the images of a folder into a few large tar files, which S3 and network disks read faster than many small files.

    python -m jobs shards data/train --output data/train-shards
    python -m jobs train --data data/train-shards

Training and inference read the tar files as they read the folder. Each tar file contains an index of its images, so
that an inference on several machines can send each machine its own tar files.
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
        raise InputError("expected a folder and --output: python -m jobs shards FOLDER --output SHARDS")
    source, target = Path(flags.folder[0]), Path(flags.output)
    if not source.is_dir():
        raise InputError(f"{source}: no such folder")
    if target.exists():
        raise InputError(f"{target} already exists; use another --output")
    if (source / INDEX).exists() or any(read_inner_index(source / name) is not None for name in shard_names(source)):
        raise InputError(f"{source}: its images are already packed in shards")
    unfinished = target.with_name(f".{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        names = [file.name for file in local_files(source)]
        images, shards = write_shards(source, unfinished, names, is_image, flags.shard_mb << 20)
        if not images:
            raise InputError(f"{source}: contains no images")
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print(f"{target}: {images:,} images in {shards:,} shards, {len(names) - images:,} other files next to them")
    return ExitCode.DONE
