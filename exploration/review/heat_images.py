"""HeatImages: heat maps of a model for the images under review, computed by one thread and kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from exploration.heat_maps import HeatMaps
from exploration.review.jpeg_cache import JpegCache
from exploration.review.predictions import Predictions
from exploration.review.thumbnails import ReviewImages, encode
from model.errors import InputError, did_you_mean, listing


class HeatImages:
    """JPEGs of heat maps (exploration.heat_maps).

    Args:
        maps: The model.
        predictions: The predictions, of whose classes the model explains one.
        images: Where the images are read.

    Raises:
        InputError: The model lacks an attribute of the predictions, or has other classes.
    """

    def __init__(self, maps: HeatMaps, predictions: Predictions, images: ReviewImages) -> None:
        self.maps, self.predictions, self.images = maps, predictions, images
        scheme, own = predictions.labels.table.scheme, maps.model.scheme
        for attribute in scheme.attributes:
            if own.attribute(attribute.name).values != attribute.values:
                raise InputError(f"model: its classes of {attribute.name} differ from those of the predictions")
        self._cache: JpegCache[tuple[int, str, int]] = JpegCache(self._make, 1)

    def close(self) -> None:
        """Ends the thread."""
        self._cache.close()

    def jpeg(self, row: int, attribute: str, value: str) -> Future[bytes]:
        """The heat map of a class.

        Args:
            row: Row of the table.
            attribute: Name of an attribute.
            value: One of its classes.

        Returns:
            A future with the bytes, or with an UnreadableImage or InputError.

        Raises:
            InputError: There is no such attribute or class; the message has the nearest name.
        """
        values = self.predictions.labels.table.scheme.attribute(attribute).values
        if value not in values:
            raise InputError(f"{value!r}, expected {listing(values)}{did_you_mean(value, values)}")
        return self._cache.get((row, attribute, values.index(value)))

    def _make(self, key: tuple[int, str, int]) -> bytes:
        row, attribute, code = key
        return encode(self.maps.draw(self.images.source(row), self._codes(row, attribute, code)), "large")

    def _codes(self, row: int, attribute: str, code: int) -> Mapping[str, int]:
        """The classes to explain: that of the attribute. If its head predicts others with it, their predicted ones."""
        heads = self.maps.backend.heads
        head = next((head for head in heads.heads if attribute in head.attributes), None)
        if head is None:
            raise InputError(f"the model does not predict {attribute}")
        codes = {name: int(self.predictions.codes[name][row]) for name in head.attributes} | {attribute: code}
        if min(codes.values()) < 0:
            raise InputError("there is no prediction for this image")
        if heads.head_scheme(head).joint(codes) < 0:
            raise InputError(
                f"the model has no class for {listing(self._text(name, own) for name, own in codes.items())}"
            )
        return codes

    def _text(self, attribute: str, code: int) -> str:
        return f"{attribute} {self.predictions.labels.table.scheme.attribute(attribute).values[code]}"
