"""Detectors: boxes of the subjects in an image by an ONNX network, computed with onnxruntime.

Two forms of networks are supported; their outputs decide which one it is:

    YuNet         cls_8, obj_8, bbox_8 and the same of 16 and 32: OpenCV's face detector (face_detection_yunet). Input:
                  BGR, 0 to 255, float32 (1, 3, H, W).
    boxes, scores boxes (n, 4) or (1, n, 4): left, top, right, bottom in pixels of the input; scores (n,), (1, n) or
                  with one column per class. Input: RGB, 0 to 1, float32 (1, 3, H, W) or (3, H, W), as of torchvision;
                  0 to 255 if the input is uint8.

An image is pasted into the upper left corner of the input; the rest is black. It is scaled down if it does not fit. If
nothing is found, it is also tried at the other SCALES.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from exploration.crop.boxes import Boxes
from model.errors import Failure, InputError, listing

SIDE = 640  # pixels of the input's sides if they are not fixed; a smaller image has a smaller input
SCALES = (1.0, 1.5, 0.6)  # of an image, tried in this order; 1.5 only as far as the image fits into the input
STRIDES = (8, 16, 32)  # pixels per cell of YuNet's outputs
MOST_OVERLAP = 0.3  # intersection over union from which on the box with the lower score is dropped, as in OpenCV's demo
MULTIPLE = 32  # the sides of a free input are multiples of it


class Session(Protocol):
    """What a detector uses of onnxruntime.InferenceSession."""

    def get_inputs(self) -> Sequence[Any]: ...

    def get_outputs(self) -> Sequence[Any]: ...

    def run(self, output_names: Sequence[str] | None, feed: Mapping[str, Any]) -> Sequence[Any]: ...


class Detector:
    """Finds the boxes in an image. Threads may share it.

    Args:
        session: The network.
        least_score: Boxes with a lower score are dropped.
        name: Name of the network's file, for messages.

    Raises:
        InputError: The network has none of the supported forms.
    """

    def __init__(self, session: Session, least_score: float, name: str = "detector") -> None:
        self.session, self.least_score = session, least_score
        self.input, *others = session.get_inputs()
        names = [output.name for output in session.get_outputs()]
        yunet = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox") for stride in STRIDES]
        self.is_yunet = set(yunet) <= set(names)
        self.outputs = yunet if self.is_yunet else ["boxes", "scores"]
        shape = list(self.input.shape)
        if others or not set(self.outputs) <= set(names) or len(shape) not in (3, 4) or shape[-3] not in (3, "3"):
            raise InputError(
                f"{name}: input {self.input.name} {shape}, outputs {listing(names)}; expected one input of RGB images "
                "and the outputs of YuNet (cls_8, obj_8, bbox_8, ...), or outputs named boxes and scores"
            )
        self.height, self.width = (side if isinstance(side, int) else None for side in shape[-2:])

    def detect(self, image: Image.Image) -> Boxes:
        """The boxes in an RGB image, by decreasing score."""
        largest = min((self.width or SIDE) / image.width, (self.height or SIDE) / image.height)
        boxes = np.empty((0, 5), np.float32)
        for scale in dict.fromkeys(min(1.0, largest) * own if own < 1 else min(own, largest) for own in SCALES):
            boxes = self._detect(image, scale)
            if len(boxes):
                break
        return boxes

    def _detect(self, image: Image.Image, scale: float) -> Boxes:
        """The boxes in an image that is scaled by `scale`, in pixels of the unscaled image."""
        canvas = self._canvas(image, scale)
        pixels = np.asarray(canvas).transpose(2, 0, 1)
        values: NDArray[np.generic] = pixels.astype(np.float32)
        if "uint8" in self.input.type:
            values = pixels
        elif not self.is_yunet:
            values = pixels.astype(np.float32) / np.float32(255)
        values = np.ascontiguousarray(values[::-1] if self.is_yunet else values)
        feed = {self.input.name: values if len(self.input.shape) == 3 else values[None]}
        outputs = dict(zip(self.outputs, self.session.run(self.outputs, feed)))
        boxes = yunet_boxes(outputs, canvas.width) if self.is_yunet else _corner_boxes(outputs)
        boxes = without_overlaps(boxes[boxes[:, 4] >= self.least_score])
        boxes[:, :4] /= scale
        return boxes

    def _canvas(self, image: Image.Image, scale: float) -> Image.Image:
        """The network's input with the scaled image in its upper left corner."""
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        width, height = (-(-side // MULTIPLE) * MULTIPLE for side in size)
        canvas = Image.new("RGB", (self.width or width, self.height or height))
        canvas.paste(image.resize(size, Image.Resampling.BILINEAR))
        return canvas


def load_detector(path: Path, least_score: float) -> Detector:
    """Loads an ONNX network.

    Raises:
        InputError: The file is missing or not such a network.
        Failure: onnxruntime is not installed.
    """
    if not path.is_file():
        raise InputError(f"detector {path}: no such file")
    try:
        import onnxruntime
    except ImportError:
        raise Failure("crop --detector needs onnxruntime: pip install onnxruntime, or rarebird[crop]") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # images are processed in parallel
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own kinds of exceptions for invalid files
        raise InputError(f"detector {path}: cannot be loaded by onnxruntime: {error}") from None
    return Detector(session, least_score, path.name)


def yunet_boxes(outputs: Mapping[str, NDArray[np.float32]], width: int) -> Boxes:
    """Boxes from the outputs of YuNet, as in OpenCV's modules/objdetect/src/face_detect.cpp (postProcess).

    Args:
        outputs: cls, obj (1, cells, 1) and bbox (1, cells, 4) of each stride, such as cls_8.
        width: Width of the input in pixels.
    """
    found = []
    for stride in STRIDES:
        classes, objects = (outputs[f"{kind}_{stride}"].reshape(-1).clip(0, 1) for kind in ("cls", "obj"))
        offsets = outputs[f"bbox_{stride}"].reshape(-1, 4)
        cells = np.arange(len(offsets))
        columns = width // stride
        # the centre is an offset from the cell's corner, the size is logarithmic; both in strides
        centre = (np.stack([cells % columns, cells // columns], axis=1) + offsets[:, :2]) * stride
        size = np.exp(offsets[:, 2:]) * stride
        found.append(np.column_stack([centre - size / 2, size, np.sqrt(classes * objects)]))
    return np.concatenate(found).astype(np.float32)


def _corner_boxes(outputs: Mapping[str, NDArray[np.generic]]) -> Boxes:
    """Boxes from the outputs boxes and scores."""
    corners = np.asarray(outputs["boxes"], np.float32).reshape(-1, 4)
    scores = np.asarray(outputs["scores"], np.float32).reshape(len(corners), -1) if len(corners) else np.empty((0, 1))
    best = scores.max(axis=1) if len(corners) else np.empty(0, np.float32)
    return np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2], best]).astype(np.float32)


def without_overlaps(boxes: Boxes) -> Boxes:
    """Drops each box that overlaps with one of a higher score (non-maximum suppression)."""
    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept: list[int] = []
    is_left = np.ones(len(boxes), bool)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]
    areas = boxes[:, 2] * boxes[:, 3]
    for row in range(len(boxes)):
        if not is_left[row]:
            continue
        kept.append(row)
        common = (np.minimum(high[row], high) - np.maximum(low[row], low)).clip(0).prod(axis=1)
        is_left &= common <= MOST_OVERLAP * (areas[row] + areas - common)
    return boxes[kept]
