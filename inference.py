"""Predicts a folder of images, or single images, with a saved model.

Examples:
  python inference.py --eval_dir photos --model_dir runs/exp
  python inference.py a.jpg b.png --model_dir runs/exp
  SM_CHANNEL_EVAL=photos SM_CHANNEL_MODEL=runs/exp python inference.py

Predictions of single images are printed; files are written only if SM_OUTPUT_DATA_DIR, --output_data_dir or --output
is set.

Reads:
  SM_CHANNEL_EVAL       a folder of images; if it contains info.csv, the images in this table are predicted, in
                        its order
  SM_CHANNEL_MODEL      a saved model or an ensemble, or a folder that contains one (default: the newest finished run in
                        runs/)
Writes into SM_OUTPUT_DATA_DIR:
  output.csv            the predicted class of each image in the column `ans`, empty if the image is unreadable
  probabilities.csv     the probabilities of each image, one column per class
  predictions.csv       easier to read than output.csv: the name and probability of the predicted class, and
                        the next two classes
  labels.json           the names of the classes, and how the model was created
  errors.csv            unreadable images and the reasons, if there are any
  learnt_from.csv       images that were in the model's training or validation data, if there are any
  parts/                while the job runs: the finished parts, one per shard (python -m jobs shards) or one per
                        --part_size rows. After an interruption they are reused, either by the same command or by a
                        command with --resume_from PARTS. part.json records the model, settings and images of a part

Test-time augmentation (--num_tta N, or inference_TTA.py, whose default is 4) combines the predictions for the first N
of 16 views of each image. The views are the whole image and its mirror image, then crops of 92 %, 85 % and 80 % of its
height and width (centre and corners); every second view is mirrored. Each image is decoded only once.

Each variable also has a flag, which takes precedence: --eval_dir, --model_dir, --output_data_dir. The exit code is 1 if
none of the single images could be read or, with --strict, if any image could not be read.
"""

from __future__ import annotations

import container.gc_pause  # noqa: F401

# isort: split
from container import job_script
from container.job_types import INFERENCE, JobType

if __name__ == "__main__":
    job_script.check_command_line(INFERENCE, __doc__ or "")  # --help and errors need no pandas and torch

# isort: split
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from container import settings_layers
from container.gpu_check import check_gpus
from container.locations import NAME_A_MODEL, Locations
from container.next_commands import evaluation_command
from container.torchrun import divided_gpus, own_gpu, refuse_alone
from container.torchrun_child import wait_for_others
from model.answers.files import ERRORS, OUTPUT, PREDICTIONS, answer_files, beside_answers
from model.answers.parts import remove_finished_parts
from model.answers.seen_images import SeenImages
from model.artifacts.archive import opened_members, opened_model
from model.artifacts.discovery import newest_model
from model.artifacts.ensemble import Ensemble, largest_picture, load, load_combined, provenance_of, saved_models
from model.artifacts.fingerprint import model_fingerprint
from model.artifacts.provenance import PROVENANCE_KEY
from model.artifacts.saved_model import SavedModel
from model.data.crops import warn_if_not_cropped
from model.data.input_parts import InputPart, divide, share_of
from model.data.metadata import with_metadata
from model.data.prediction_input import PredictionInput, has_images, has_labels, read_info, single_files
from model.data.readers.shards import INDEX
from model.data.readers.table_options import TableOptions
from model.data.readers.text_table import CSV_SUFFIXES
from model.errors import ExitCode, Failure, InputError
from model.images.decode import allow_pixels
from model.prediction.api import make_predictor
from model.prediction.parts import ChannelPrediction, answer_settings
from model.prediction.predictor import EnsemblePredictor
from model.prediction.single_images import predicted_table
from model.runtime.terminal import counted
from model.runtime.workers import worker_count
from model.settings.inference import InferenceSettings

TAKEN_OVER = "taken-over"  # extension of the file in which a process writes how many finished parts it reused

log = logging.getLogger("rarebird")


def main(
    argv: Sequence[str] | None = None, usage: str = __doc__ or "", job_type: JobType[InferenceSettings] = INFERENCE
) -> int:
    """Runs the job.

    Args:
        argv: Command line without the name of the script; None for that of the process.
        usage: Text of --help.
        job_type: inference or inference_TTA, which have different defaults.

    Returns:
        The exit code.
    """
    settings, env = settings_layers.read(job_type, argv, usage)
    locations = Locations(env)
    locations.refuse_links(settings.follow_links)

    if not settings.pictures:
        refuse_alone("processes", settings.processes, env.world, job_type.name)
    if env.world > 1:
        if env.ranks_dir is None:
            raise InputError(
                "this process was started by torchrun directly; to start several processes, use "
                f"python -m container.entrypoint {job_type.name}"
            )
        os.environ |= own_gpu(env.local_rank, divided_gpus(settings.device, env.variables))

    # load the model and list the images
    single = single_files(settings.pictures) if settings.pictures else None
    with chosen_model(settings, locations) as saved:
        models = saved_models(saved)
        channel = (Path("/"), single) if single else read_channel_inputs(settings, locations, models)
        if channel is None:
            return ExitCode.DONE
        is_required = settings.missing_metadata == "error" and single is None
        source = "single images" if single else str(channel[0])
        inputs = with_metadata(channel[1], [model.pipeline for model in models], is_required, source)
        allow_pixels(settings.max_pixels or largest_picture(saved))
        predictor = make_predictor(
            saved,
            num_tta=settings.num_tta,
            tta_mode=settings.tta_mode,
            seed=settings.seed,
            device=settings.device,
            precision=settings.precision,
        )
        check_gpus(env, settings.device, predictor.gpu_problem)
        files = output_files(settings, locations)
        if files is None:
            print(f"model {saved.folder}: {saved.scheme.num_classes} classes", file=sys.stderr)
            workers = worker_count(settings.num_workers) if len(inputs) > settings.batch_size else 0
            table, failed = predicted_table(predictor, saved.scheme, inputs, settings.batch_size, workers)
            print(table)
            return end(failed, len(inputs), "the reasons are below the table", settings)
        prediction = channel_prediction(settings, locations, saved, predictor, channel[0], inputs, files[0])

    # predict and write batch by batch
    number, where = len(prediction.inputs), f" in {prediction.root}" if single is None else ""
    count = f"{len(models)} models, " if len(models) > 1 else ""
    log.info(
        f"{counted(number, 'image')}{where}; model {saved.folder}: {count}{saved.scheme.num_classes} classes; "
        f"{settings.num_tta} view{'s' if settings.num_tta > 1 else ''}; {predictor.backends[0]}"
    )
    started = time.monotonic()
    workers = worker_count(settings.num_workers, env.world)
    if prediction.parts or env.world > 1:
        unreadable = predict_parts(prediction, settings, locations, files, workers)
        if unreadable is None:
            return ExitCode.DONE
    else:
        prediction.warn_of_parts()
        unreadable = prediction.write(*files, settings.batch_size, workers)
    seconds = time.monotonic() - started
    log.info(f"{counted(number, 'image')} in {seconds:.1f} s, {number / max(seconds, 1e-9):,.1f} images/s")
    log.info(f"predictions: {files[0]}")
    log.info(f"predictions with class names and probabilities: {beside_answers(files[0], PREDICTIONS)}")
    exit_code = end(unreadable, number, f"see {beside_answers(files[0], ERRORS)} for the reasons", settings)
    if single is None and not env.uses_opt_ml:
        truth = prediction.root if has_labels(prediction.inputs, saved.scheme) else None
        log.info("next: %s", evaluation_command(files[0], OUTPUT, prediction.root, truth))
    return exit_code


@contextmanager
def chosen_model(settings: InferenceSettings, locations: Locations) -> Iterator[SavedModel | Ensemble]:
    """Context manager that loads the model; a model.tar.gz is unpacked until the block ends.

    The first of these that is set: the setting models (several, combined), the setting model_dir, SM_CHANNEL_MODEL.
    Default: the newest finished run.
    """
    if settings.models:
        with opened_members(settings.models) as members:
            yield load_combined(members)
        return
    model_dir = locations.saved_model_dir(settings.model_dir)
    with opened_model(model_dir or newest_model(locations.models_dir(None), NAME_A_MODEL)) as folder:
        yield load(folder)


def read_channel_inputs(
    settings: InferenceSettings, locations: Locations, models: Sequence[SavedModel]
) -> tuple[Path, PredictionInput] | None:
    """Reads the channel `eval`.

    Args:
        settings: Settings of the job.
        locations: Locations of the job.
        models: The models. Their training's column of image names is used if the table has it.

    Returns:
        The folder and its rows; None if SageMaker has split the channel between hosts and this host has no image.
    """
    earlier_dir = next((model.settings.eval_dir for model in models if model.settings.eval_dir), None)
    eval_dir = locations.required_channel("eval", settings.eval_dir, "inference.py", earlier_dir)
    trained_column = next((model.settings.picture_column for model in models if model.settings.picture_column), None)
    options = TableOptions(settings.table, settings.picture_column, settings.encoding, remembered_column=trained_column)
    if settings.table or any(path.suffix.lower() in CSV_SUFFIXES for path in eval_dir.glob("*")):
        is_index = (eval_dir / INDEX).is_file()
        by_table = (
            "the table in this folder lists images that are on other hosts; each host needs all images and predicts "
            "its own share of the rows"
        )
        by_index = f"{INDEX} also lists shards on other hosts; python -m jobs shards writes an index for each shard"
        locations.refuse_parts(eval_dir, by_index if is_index else by_table)
    if locations.is_split(eval_dir) and not has_images(eval_dir):
        log.info("%s contains no image for this host", eval_dir)
        return None
    warn_if_not_cropped(eval_dir, [model.metrics["data"] for model in models])
    return eval_dir, read_info(eval_dir, options, settings.follow_links)


def channel_prediction(
    settings: InferenceSettings,
    locations: Locations,
    saved: SavedModel | Ensemble,
    predictor: EnsemblePredictor,
    eval_dir: Path,
    inputs: PredictionInput,
    answers: Path,
) -> ChannelPrediction:
    """The rows and parts that this host predicts. answers: path of output.csv."""
    rows, parts = (
        (np.arange(len(inputs)), [])
        if settings.pictures
        else host_rows(settings, locations, eval_dir, inputs, predictor)
    )
    return ChannelPrediction(
        predictor=predictor,
        root=eval_dir,
        inputs=inputs if len(rows) == len(inputs) else inputs.take(rows),
        draws=rows,
        parts=parts,
        folder=locations.parts_dir(answers),
        model=model_fingerprint(saved) if parts else "",
        settings=answer_settings(settings, settings.max_pixels or largest_picture(saved), predictor),
        labels=saved.labels() | {PROVENANCE_KEY: provenance_of(saved, settings.num_tta).to_dict()},
        seen=SeenImages.of(saved_models(saved)),
    )


def host_rows(
    settings: InferenceSettings,
    locations: Locations,
    eval_dir: Path,
    inputs: PredictionInput,
    predictor: EnsemblePredictor,
) -> tuple[NDArray[np.int64], list[InputPart]]:
    """Row numbers of this host and their parts; the list of parts is empty if all rows are predicted in one go."""
    index, count = locations.host_part(eval_dir)
    batch = predictor.images_per_batch(settings.batch_size)
    parts = divide(inputs.locations, settings.part_size, batch, count, locations.env.world)
    if parts:
        own, rows = share_of(parts, index, count)
        if count > 1:
            log.info("this host predicts %d of %d parts", len(own), len(parts))
        return rows, own
    if count > 1:
        log.info("this host predicts share %d of %d of the rows", index + 1, count)
    if locations.earlier_parts(settings.resume_from) is not None:
        raise InputError(
            f"resume_from: {eval_dir} contains no shards, so part_size must be set to the value that it had in "
            "the stopped run"
        )
    return np.arange(index, len(inputs), count), []


def predict_parts(
    prediction: ChannelPrediction,
    settings: InferenceSettings,
    locations: Locations,
    files: tuple[Path, Path],
    workers: int,
) -> int | None:
    """Predicts the parts of this process. The first process of the host then joins the parts of all its processes.

    Args:
        prediction: Rows and parts of the host.
        settings: Settings of the job.
        locations: Locations of the job.
        files: Paths of output.csv and probabilities.csv.
        workers: Number of processes that read images.

    Returns:
        Number of images without a prediction; None in the other processes.
    """
    env = locations.env
    earlier = locations.earlier_parts(settings.resume_from)
    own = prediction.parts[env.rank :: env.world]
    taken_over = prediction.predict_parts(own, [earlier] if earlier else [], settings.batch_size, workers)
    if env.world > 1:
        # only the first process of a host logs: the others write their number of reused parts to a file
        assert env.ranks_dir is not None
        (env.ranks_dir / f"{env.rank}.{TAKEN_OVER}").write_text(str(taken_over))
        if env.rank > 0:
            return None
        wait_for_others(env.ranks_dir, env.rank, env.world)
        taken_over = sum(int(note.read_text()) for note in env.ranks_dir.glob(f"*.{TAKEN_OVER}"))
    if taken_over:
        log.info("%d of %d parts were finished by an earlier run and are reused", taken_over, len(prediction.parts))
    unreadable = prediction.join(*files)
    if not locations.has_several_hosts:  # if another host fails, the parts of this one can be reused
        remove_finished_parts(prediction.folder)
    return unreadable


def output_files(settings: InferenceSettings, locations: Locations) -> tuple[Path, Path] | None:
    """Paths of output.csv and probabilities.csv; None if single images are predicted and no output is set."""
    if settings.pictures and locations.output_dir(settings.output_data_dir) is None:
        return answer_files(Path(), settings.output) if settings.output else None
    output = locations.output_data_dir(settings.output_data_dir, settings.model_dir)
    return answer_files(output, locations.output_file(settings.output))


def end(unreadable: int, pictures: int, reasons: str, settings: InferenceSettings) -> int:
    """Returns the exit code, after a warning if images are unreadable.

    Args:
        unreadable: Number of images without a prediction.
        pictures: Number of all images.
        reasons: Sentence that says where the reasons are.
        settings: Settings of the job.

    Raises:
        Failure: An image is unreadable and `strict` is set, or none of the single images could be read.
    """
    if unreadable:
        message = f"{unreadable:,} of {pictures:,} images are unreadable and have no prediction; {reasons}"
        if settings.strict or (settings.pictures and unreadable == pictures):
            raise Failure(message)
        log.warning(message)
    return ExitCode.DONE


if __name__ == "__main__":
    job_script.run(main)
