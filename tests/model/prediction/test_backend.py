"""What a backend gets by default: probabilities by its heads, batches by threads."""

import numpy as np
import pytest
from PIL import Image

from model.attributes import Attribute
from model.data.image_dataset import ImageDataset, in_order
from model.data.image_locations import ImageLocations
from model.errors import InputError
from model.images.image_location import ImageLocation
from model.images.inputs import PIXELS, Inputs
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.labels import Scheme
from model.network.heads import make_heads
from model.prediction.backend import Backend

SCHEME = Scheme((Attribute("colour", ("red", "green", "blue")),))


class Means(Backend):
    """The logit of a class is the mean of one colour channel."""

    def logits(self, inputs: Inputs) -> np.ndarray:
        return inputs.arrays[PIXELS].mean(axis=(1, 2), dtype=np.float32)

    def __str__(self) -> str:
        return "means"


def test_a_backend_only_needs_logits(tmp_path):
    for row in range(5):
        Image.new("RGB", (8, 8), (row, 0, 1)).save(tmp_path / f"{row}.png")
    backend = Means(make_heads(SCHEME, "joint", lambda head, classes: classes))
    locations = ImageLocations(ImageLocation(f"{row}.png") for row in range(5))
    dataset = ImageDataset(tmp_path, locations, Views(InputPipeline(Preprocessing(8, 8))))
    for workers in (0, 2):
        loaded = list(backend.batches(dataset, in_order(5, 2), workers))
        assert [batch.rows.tolist() for batch in loaded] == [[0, 1], [2, 3], [4]]
        assert loaded[2].inputs is not None
        odds = np.exp([4, 0, 1])
        probabilities = backend.probabilities(loaded[2].inputs.by_view())
        np.testing.assert_allclose(probabilities, [odds / odds.sum()], rtol=1e-5)
    backend.limit_threads(1)
    backend.release_memory()


def test_a_backend_without_gradients_has_no_evidence():
    backend = Means(make_heads(SCHEME, "joint", lambda head, classes: classes))
    with pytest.raises(InputError, match=r"heat maps need a network of torch.* this model is for means"):
        backend.evidence(Inputs({}), {})
