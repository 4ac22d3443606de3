"""Embeddings of metadata: against looking them up by hand; dropout in training; networks with and without images."""

from __future__ import annotations

import pytest
import torch

from model.attributes import Attribute
from model.images.preprocessing import Preprocessing
from model.images.vocabulary import UNKNOWN, MetadataColumn, Vocabulary
from model.labels import Scheme
from model.network.fusion import MetadataEmbeddings, NoBackbone, make_embeddings, make_image_network
from model.network.heads import make_heads
from model.network.network import Network
from model.settings.train import TrainSettings

VOCABULARY = Vocabulary((MetadataColumn("a", 3, ("x", "y")), MetadataColumn("b", 2, ("z",))))
CODES = torch.tensor([[0, 1], [2, 0], [1, 1]])
PREPROCESSING = Preprocessing(32, 24, mean=(0.5,) * 3, std=(0.5,) * 3)


def test_embeddings_are_rows_of_the_tables_one_after_the_other():
    embeddings = MetadataEmbeddings(VOCABULARY, 0.5).eval()
    first, second = (column.weight for column in embeddings.columns)
    assert (first.shape, second.shape, embeddings.features) == ((3, 3), (2, 2), 5)
    expected = torch.cat(
        [torch.stack([first[0], first[2], first[1]]), torch.stack([second[1], second[0], second[1]])], 1
    )
    torch.testing.assert_close(embeddings(CODES), expected)


def test_dropout_replaces_values_by_unknown_in_training_only():
    torch.manual_seed(0)
    embeddings = MetadataEmbeddings(VOCABULARY, 0.3)
    codes = torch.ones(4000, 2, dtype=torch.int64)
    embedded = embeddings(codes)
    unknown = embeddings.columns[0].weight[UNKNOWN]
    is_unknown = (embedded[:, :3] == unknown).all(1)
    other = (embedded[:, 3:] == embeddings.columns[1].weight[UNKNOWN]).all(1)
    assert abs(is_unknown.float().mean() - 0.3) < 0.03
    assert abs((is_unknown & other).float().mean() - 0.09) < 0.02  # independently
    embedded.sum().backward()
    assert embeddings.columns[0].weight.grad[UNKNOWN].abs().sum() > 0
    assert not (embeddings.eval()(codes)[:, :3] == unknown).all(1).any()
    still = MetadataEmbeddings(VOCABULARY, 0.0)
    assert (still(codes)[:, :3] == still.columns[0].weight[1]).all()


def heads():
    scheme = Scheme((Attribute("label", ("p", "q", "r")),))
    return make_heads(scheme, "joint", lambda head, classes: classes)


@pytest.mark.parametrize("hidden", [(), (7,)])
def test_classifiers_read_features_and_then_embeddings(hidden):
    settings = TrainSettings(model="test_resnet", pretrained=False, fusion="concat", metadata_dropout=0.0)
    backbone = make_image_network(settings, PREPROCESSING)
    network = Network(backbone, heads(), hidden, metadata=make_embeddings(settings, VOCABULARY)).eval()
    pixels = torch.randn(3, 3, 32, 24)
    expected = network.heads[0](torch.cat([backbone(pixels), network.metadata(CODES)], dim=1))
    torch.testing.assert_close(network(pixels, metadata=CODES), expected)
    torch.testing.assert_close(network.logits(backbone(pixels), CODES), expected)
    assert not torch.allclose(network(pixels, torch.zeros_like(CODES)), expected)
    assert sorted(name for name in network.state_dict() if name.startswith("metadata.")) == [
        "metadata.columns.0.weight",
        "metadata.columns.1.weight",
    ]


def test_a_network_of_metadata_ignores_the_pixels():
    settings = TrainSettings(fusion="metadata", metadata_dropout=0.2)
    backbone = make_image_network(settings, PREPROCESSING, pretrained=True)
    assert isinstance(backbone, NoBackbone)
    embeddings = make_embeddings(settings, VOCABULARY)
    assert embeddings is not None and embeddings.dropout == 0.2
    network = Network(backbone, heads(), metadata=embeddings).eval()
    first, second = (network(torch.randn(3, 3, 32, 24), CODES) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, network.heads[0](embeddings(CODES)))
    assert {name.split(".")[0] for name in network.state_dict()} == {"heads", "metadata"}


def test_without_a_vocabulary_there_are_no_embeddings():
    assert make_embeddings(TrainSettings(), None) is None
