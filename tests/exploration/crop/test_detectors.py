"""Detectors, compared with OpenCV's FaceDetectorYN and with networks whose outputs are known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from exploration.crop.detectors import Detector, load_detector, without_overlaps
from model.errors import InputError

YUNET = "face_detection_yunet_2023mar.onnx"


class Network:
    """A network whose outputs are a function of its input."""

    def __init__(self, outputs, shape=(1, 3, 64, 64), kind="tensor(float)"):
        self.outputs, self.shape, self.kind, self.fed = outputs, list(shape), kind, []

    def get_inputs(self):
        return [SimpleNamespace(name="image", shape=self.shape, type=self.kind)]

    def get_outputs(self):
        return [SimpleNamespace(name=name) for name in self.outputs]

    def run(self, names, feed):
        self.fed.append(feed["image"])
        return [self.outputs[name] for name in names]


def boxes_and_scores(*rows: tuple[float, ...]) -> dict[str, np.ndarray]:
    values = np.array(rows, np.float32).reshape(-1, 5)
    return {"boxes": values[None, :, :4], "scores": values[None, :, 4]}


def test_boxes_are_those_of_opencv(shared: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    detector = load_detector(shared / "weights" / YUNET, 0.6)
    reference = cv2.FaceDetectorYN.create(str(shared / "weights" / YUNET), "", (640, 640), 0.6, 0.3, 5000)
    compared = 0
    for path in sorted((shared / "data" / "faces" / "train" / "images").glob("*/normal.*"))[:12:3]:
        image = Image.open(path).convert("RGB")
        canvas = np.zeros((640, 640, 3), np.uint8)
        canvas[: image.height, : image.width] = np.asarray(image)[:, :, ::-1]
        faces = reference.detect(canvas)[1]
        if faces is not None:
            compared += 1
            assert detector.detect(image) == pytest.approx(faces[:, [0, 1, 2, 3, 14]], abs=0.05)
    assert compared >= 3


def test_boxes_of_a_scaled_image_are_in_its_own_pixels(shared: Path) -> None:
    detector = load_detector(shared / "weights" / YUNET, 0.6)
    path = next((shared / "data" / "faces" / "train" / "images").glob("*/normal.*"))
    image = Image.open(path).convert("RGB")
    large = image.resize((image.width * 5, image.height * 5), Image.Resampling.BICUBIC)
    one, other = detector.detect(image)[0], detector.detect(large)[0]
    assert other[:4] / 5 == pytest.approx(one[:4], abs=6)


def test_corners_become_boxes_of_the_image() -> None:
    network = Network(boxes_and_scores((8, 4, 24, 36, 0.9), (1, 1, 2, 2, 0.3)))
    image = Image.new("RGB", (128, 100), (255, 0, 51))
    assert Detector(network, 0.5).detect(image).tolist() == [[16, 8, 32, 64, pytest.approx(0.9)]]
    (fed,) = network.fed
    assert fed.shape == (1, 3, 64, 64) and fed.dtype == np.float32
    assert fed[0, :, 0, 0].tolist() == pytest.approx([1, 0, 0.2]) and (fed[0, :, 50:] == 0).all()


def test_scores_may_be_of_classes_and_inputs_bytes() -> None:
    outputs = {
        "boxes": np.array([[0, 0, 4, 4], [30, 30, 40, 44]], np.float32),
        "scores": np.array([[0.1, 0.2], [0.3, 0.8]]),
    }
    network = Network(outputs, (3, "h", "w"), "tensor(uint8)")
    boxes = Detector(network, 0.5).detect(Image.new("RGB", (50, 40), (255, 0, 51)))
    assert boxes.tolist() == [[30, 30, 10, 14, pytest.approx(0.8)]]
    (fed,) = network.fed
    assert fed.shape == (3, 64, 64) and fed.dtype == np.uint8 and fed[:, 0, 0].tolist() == [255, 0, 51]


def test_an_image_without_boxes_is_tried_at_other_scales() -> None:
    network = Network(boxes_and_scores())
    assert Detector(network, 0.5).detect(Image.new("RGB", (40, 40), "white")).shape == (0, 5)
    sizes = [int((fed[0, 0] > 0).any(axis=1).sum()) for fed in network.fed]
    assert sizes == [40, 60, 24]


def test_overlapping_boxes_are_dropped() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.6], [1, 1, 10, 10, 0.9], [8, 8, 10, 10, 0.5], [50, 0, 5, 5, 0.7]], np.float32)
    assert without_overlaps(boxes)[:, 4].tolist() == pytest.approx([0.9, 0.7, 0.5])


def test_a_network_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"other.onnx: input image \[1, 3, 64, 64\], outputs logits; expected"):
        Detector(Network({"logits": np.zeros(3)}), 0.5, "other.onnx")
    with pytest.raises(InputError, match="no such file"):
        load_detector(tmp_path / "missing.onnx", 0.5)
    (tmp_path / "damaged.onnx").write_bytes(b"not a network")
    with pytest.raises(InputError, match=r"damaged.onnx: cannot be loaded"):
        load_detector(tmp_path / "damaged.onnx", 0.5)
