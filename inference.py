"""Answers for a folder of pictures, by a saved model.

    SM_CHANNEL_EVAL=data/eval SM_CHANNEL_MODEL=runs/exp SM_OUTPUT_DATA_DIR=output python inference.py
    python inference.py --eval_dir photos --model_dir runs/exp --output answers/photos.csv --num_tta 8

Reads   SM_CHANNEL_EVAL         pictures, with info.csv where there is one: its rows and their order are kept
        SM_CHANNEL_MODEL        a saved model or an ensemble, or a folder with one in it; else the newest finished
                                run in runs/
Writes  SM_OUTPUT_DATA_DIR      output.csv (the class as `ans`, empty where a picture could not be read),
                                probabilities.csv (a column a class, by name), labels.json (names of the classes,
                                and how the model was made), errors.csv where a picture could not be read

Ends with 0 when done, with --strict 1 where a picture could not be read, 2 for bad input.

Test-time augmentation (--num_tta N, or inference_TTA.py, which has 4) joins the answers of N views of each picture:
{views}
"""

from __future__ import annotations

import container.gc_pause  # noqa: F401

# isort: split
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from container import job_script, settings_layers
from container.job_types import INFERENCE, JobType
from container.locations import NAME_A_MODEL, Locations
from model.answers.files import ERRORS, answer_files, beside_answers
from model.answers.write import write_answers
from model.artifacts.archive import opened_model
from model.artifacts.discovery import newest_model
from model.artifacts.ensemble import Ensemble, load, load_combined, provenance_of, saved_models
from model.artifacts.provenance import PROVENANCE_KEY
from model.artifacts.saved_model import SavedModel
from model.data.prediction_input import PredictionInput, read_info
from model.errors import ExitCode, Failure
from model.images.tta import fixed_views_text
from model.prediction.api import make_predictor
from model.runtime.workers import worker_count
from model.settings.inference import InferenceSettings

log = logging.getLogger("rarebird")


def main(
    argv: Sequence[str] | None = None, usage: str = __doc__ or "", job_type: JobType[InferenceSettings] = INFERENCE
) -> int:
    """Runs the job.

    Args:
        argv: Command line, without the name of the script; by default the process's.
        usage: Text of --help, in which {views} stands for the list of TTA views.
        job_type: inference or inference_TTA, which differ in defaults.

    Returns:
        The exit code.
    """
    usage = usage.replace("{views}", fixed_views_text())
    settings, env = settings_layers.read(job_type, argv, usage)
    locations = Locations(env)
    locations.refuse_links(settings.follow_links)

    # the model and the images to predict
    with chosen_model(settings, locations) as saved:
        models = saved_models(saved)
        earlier_dir = next((model.settings.eval_dir for model in models if model.settings.eval_dir), None)
        eval_dir = locations.required_channel("eval", settings.eval_dir, "inference.py", earlier_dir)
        output = locations.output_data_dir(settings.output_data_dir, settings.model_dir)
        answers_file, probabilities_file = answer_files(output, locations.output_file(settings.output))
        inputs = read_inputs(settings, locations, eval_dir)
        predictor = make_predictor(
            saved,
            num_tta=settings.num_tta,
            tta_mode=settings.tta_mode,
            seed=settings.seed,
            device=settings.device,
            precision=settings.precision,
        )

    # predict and write, batch by batch
    count = f"{len(models)} models, " if len(models) > 1 else ""
    log.info(
        f"{len(inputs):,} pictures in {eval_dir}; model {saved.folder}: {count}{saved.scheme.num_classes} classes; "
        f"{settings.num_tta} view{'s' if settings.num_tta > 1 else ''}; {predictor.backends[0]}"
    )
    started = time.monotonic()
    workers = worker_count(settings.num_workers)
    answers = predictor.predict_channel(eval_dir, inputs.locations, settings.batch_size, workers)
    labels = saved.labels() | {PROVENANCE_KEY: provenance_of(saved, settings.num_tta).to_dict()}
    unreadable = write_answers(
        answers, inputs.rows, inputs.name_column, labels, answers_file, probabilities_file, predictor.decision
    )
    seconds = time.monotonic() - started
    log.info(f"{len(inputs):,} pictures in {seconds:.1f} s, {len(inputs) / max(seconds, 1e-9):,.1f} pictures/s")
    log.info(f"answers: {answers_file}")

    if unreadable:
        message = f"{unreadable:,} of {len(inputs):,} pictures could not be read and have no answer: "
        message += f"{beside_answers(answers_file, ERRORS)} tells why"
        if settings.strict:
            raise Failure(message)
        log.warning(message)
    return ExitCode.DONE


@contextmanager
def chosen_model(settings: InferenceSettings, locations: Locations) -> Iterator[SavedModel | Ensemble]:
    """Loads the models that the settings combine, else the model that they or the job name, else the newest run's.
    Its files are there for as long as the block lasts."""
    if settings.models:
        yield load_combined(settings.models)
        return
    model_dir = locations.saved_model_dir(settings.model_dir)
    with opened_model(model_dir or newest_model(locations.models_dir(None), NAME_A_MODEL)) as folder:
        yield load(folder)


def read_inputs(settings: InferenceSettings, locations: Locations, eval_dir: Path) -> PredictionInput:
    """Reads the channel. Of several hosts, each takes its part of the rows."""
    if settings.table or any(path.suffix.lower() == ".csv" for path in eval_dir.glob("*")):
        locations.refuse_parts(
            eval_dir, "a table names pictures that other hosts have; they divide its rows themselves"
        )
    inputs = read_info(
        eval_dir, table=settings.table, picture_column=settings.picture_column, follow_links=settings.follow_links
    )
    part, parts = locations.host_part(eval_dir)
    if parts > 1:
        log.info("part %d of %d is this host's", part + 1, parts)
        inputs = inputs.part(part, parts)
    return inputs


if __name__ == "__main__":
    job_script.run(main)
