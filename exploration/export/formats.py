"""The formats of `python -m exploration export`: a CSV for training, and files for FiftyOne, Label Studio and
LightlyStudio.

No tool is imported. Each function names the description of its format and the call that imports its file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from exploration.export.exported_images import ExportedImage, ExportedImages
from model.atomic_write import write_csv, write_json, write_text
from model.data.readers.columns import LABEL_COLUMNS
from model.errors import Problems
from model.labels import Scheme

ANNOTATED, SUSPECTED = "channel", "suspects"  # names of the sources of labels


def write_table(images: ExportedImages, path: Path, problems: Problems) -> None:
    """The CSV that train.py reads: path, class, the groups, a column per attribute, suspicions, metadata.

    `class` is the joint class, unless an attribute has this name. An only attribute, which is the class, has no column
    of its own, unless it is a number. Metadata whose column has the name of another column, or of a label column, is
    left out.
    """
    table = images.table
    attributes = table.scheme.names if _has_own_labels(table.scheme) else ()
    joint = [] if "class" in attributes else ["class"]
    group = [table.grouped_by] if table.grouped_by else []
    suspected = [f"{name}_{field}" for name in images.suspected for field in ("suspicion", "suggested")]
    taken = {"path", "class", *group, *attributes, *suspected, *LABEL_COLUMNS}
    metadata = [str(name) for name in table.metadata if str(name) not in taken]
    columns = [table.metadata[name].tolist() for name in metadata]
    with write_csv(path) as writer:
        writer.writerow(["path", *joint, *group, *attributes, *suspected, *metadata])
        for row, image in enumerate(images):
            fields = image.fields()
            labels = [image.labels[name] for name in attributes]
            suspicions = [fields.get(name, "") for name in suspected]
            values = [texts[row] for texts in columns]
            start = [image.path, *([image.joint] if joint else []), *([image.group] if group else [])]
            writer.writerow([*start, *labels, *suspicions, *values])


def write_fiftyone(images: ExportedImages, path: Path, problems: Problems) -> None:
    """labels.json of a FiftyOneImageClassificationDataset: the joint class as label, all else as attributes of it.

    Images are named by their path without extension. Without a list `classes`, targets are the names themselves.
    Format: FiftyOne User Guide, "Exporting datasets", section FiftyOneImageClassificationDataset; imported by
    fiftyone.Dataset.from_dir(dataset_type=fiftyone.types.FiftyOneImageClassificationDataset, data_path=CHANNEL,
    labels_path=FILE), whose importer indexes the images below data_path by path without extension.
    """
    labels: dict[str, Any] = {}
    paths: dict[str, str] = {}
    for image in images:
        name = posixpath.splitext(image.path)[0]
        if name in paths:
            detail = f"{image.path} and {paths[name]}; FiftyOne names images without their extension"
            problems.add("images that differ only in their extension", detail)
        paths[name] = image.path
        attributes = {**_own_labels(image, images.table.scheme), **image.fields()}
        labels[name] = {"label": image.joint or None, "attributes": attributes}
    if not problems:
        write_json(path, {"labels": labels})


def write_labelstudio(images: ExportedImages, path: Path, problems: Problems) -> None:
    """Label Studio's tasks: labels as annotations, suggestions of suspects as predictions; and the interface (.xml).

    Format: Label Studio documentation, "Label Studio JSON format of annotated tasks" (task_format) and "Import
    pre-annotated data" (predictions): `data`, `annotations` and `predictions` with `result`, `model_version` and
    `score`. The URL is that of local storage (LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED).
    """
    scheme = images.table.scheme
    numbers = {str(name) for name in images.table.numbers}
    tasks = []
    for image in images:
        labels = {name: text for name, text in image.labels.items() if text}
        suggested = {name: one.suggested for name, one in image.suspicions.items() if one.suggested}
        task: dict[str, Any] = {
            "data": {"image": images.image_url + quote(image.path), "path": image.path, **image.fields()},
            "annotations": [{"result": _results(labels, numbers)}],
        }
        if suggested:
            score = max(one.score for one in image.suspicions.values())
            task["predictions"] = [{"model_version": SUSPECTED, "score": score, "result": _results(suggested, numbers)}]
        tasks.append(task)
    write_json(path, tasks)
    write_text(path.with_suffix(".xml"), labelling_interface(scheme, numbers))


def _results(labels: Mapping[str, str], numbers: set[str]) -> list[dict[str, Any]]:
    """Results of controls Choices and Number, named after the attributes, for the object `image`."""
    results = []
    for name, text in labels.items():
        is_number = name in numbers and _is_number(text)
        kind, value = ("number", float(text)) if is_number else ("choices", [text])
        results.append({"from_name": name, "to_name": "image", "type": kind, "value": {kind: value}})
    return results


def labelling_interface(scheme: Scheme, numbers: set[str]) -> str:
    """The labelling interface of a Label Studio project: an image, and a control per attribute.

    Args:
        scheme: The label scheme.
        numbers: The attributes that are numbers.
    """
    lines = ["<View>", '  <Image name="image" value="$image"/>']
    for attribute in scheme.attributes:
        name = quoteattr(attribute.name)
        lines.append(f"  <Header value={name}/>")
        if attribute.name in numbers:
            lines.append(f'  <Number name={name} toName="image"/>')
            continue
        lines.append(f'  <Choices name={name} toName="image" choice="single">')
        lines += [f"    <Choice value={quoteattr(value)}/>" for value in attribute.values]
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>"]) + "\n"


def write_lightly(images: ExportedImages, path: Path, problems: Problems) -> None:
    """Labels and metadata of each image by path, for a script that adds them to LightlyStudio.

    LightlyStudio reads no file of classifications: "Custom Annotations" of its guide "Image Dataset" adds them by
    sample.add_annotations(annotations=[CreateClassification(class_name, confidence)], annotation_source=...) to the
    sample with the absolute path, and the guide "Metadata" by sample.metadata. docs/exploration.md has the script.
    """
    content: dict[str, Any] = {}
    for image in images:
        suggested = [
            {"class_name": f"{name} {one.suggested}", "confidence": one.score}
            for name, one in image.suspicions.items()
            if one.suggested
        ]
        labels = _own_labels(image, images.table.scheme) or {"": image.joint}
        given = [{"class_name": f"{name} {text}".strip()} for name, text in labels.items() if text]
        content[image.path] = {
            "annotations": {ANNOTATED: given, **({SUSPECTED: suggested} if suggested else {})},
            "metadata": image.fields(),
        }
    write_json(path, {"images_path": str(images.table.root.absolute()), "images": content})


def _has_own_labels(scheme: Scheme) -> bool:
    """Whether the labels of the attributes say more than the joint class: there are several, or one with numbers."""
    return len(scheme.attributes) > 1 or bool(scheme.attributes[0].cuts)


def _own_labels(image: ExportedImage, scheme: Scheme) -> dict[str, str]:
    """The labels of an image; {} for an only attribute without numbers, which is the class itself."""
    return dict(image.labels) if _has_own_labels(scheme) else {}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


FORMATS: Mapping[str, Callable[[ExportedImages, Path, Problems], None]] = {
    "csv": write_table,
    "fiftyone": write_fiftyone,
    "labelstudio": write_labelstudio,
    "lightly": write_lightly,
}
