"""Portrait: draws an invented person. Mask, gender and age are visible in the drawing; everything else is random."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, ...]
Points = Sequence[Sequence[float]]

SKINS = ((255, 224, 196), (245, 205, 170), (226, 178, 138), (196, 143, 104), (150, 102, 72), (122, 82, 60))
HAIRS = ((28, 24, 26), (48, 34, 28), (78, 50, 34), (112, 68, 38), (124, 52, 30))
GREY = (198, 200, 206)
CLOTHES = ((52, 73, 94), (192, 84, 74), (88, 142, 118), (231, 186, 92), (120, 96, 158), (70, 130, 180), (235, 235, 232),
           (60, 60, 66), (206, 128, 152))  # fmt: skip
WALLS = ((164, 202, 224), (238, 204, 168), (172, 210, 170), (206, 184, 224), (244, 222, 150), (140, 186, 196),
         (234, 178, 168), (196, 188, 160))  # fmt: skip
MASKS = ((158, 206, 230), (245, 247, 248), (48, 50, 56), (176, 222, 200), (232, 150, 182), (112, 118, 130),
         (60, 84, 130))  # fmt: skip
STYLES, STYLE_SHARES = ("bob", "waves", "long", "bun"), (0.28, 0.26, 0.36, 0.1)  # women's hair; men's is short
HAIR_ENDS = {"bob": 82, "waves": 104, "long": 116}
INK = (44, 34, 36)
WHITE = (255, 255, 255)
# Weights of four points at six steps of the curve between the middle two, (6, 4)
CATMULL_ROM = (np.linspace(0, 1, 6, endpoint=False)[:, None] ** np.arange(4)) @ np.array(
    [[0, 1, 0, 0], [-0.5, 0, 0.5, 0], [1, -2.5, 2, -0.5], [-0.5, 1.5, -1.5, 0.5]]
)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """The colour between a (share 0) and b (share 1)."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b))


def smooth(points: Points, closed: bool = False) -> list[list[float]]:
    """A Catmull-Rom curve through the points, in six steps from one to the next."""
    around = [points[-1], *points, *points[:2]] if closed else [points[0], *points, points[-1]]
    p = np.array(around, dtype=float)
    windows = np.stack([p[i : len(p) - 3 + i] for i in range(4)], 1)  # (curves, 4 points, 2)
    curve: list[list[float]] = (CATMULL_ROM @ windows).reshape(-1, 2).tolist()
    return curve if closed else [*curve, list(points[-1])]


def mirrored(points: Points) -> list[Sequence[float]]:
    """An outline: the points, which are right of the middle, then their mirror images in reverse order."""
    return [*points, *((-x, y) for x, y in reversed(points) if x)]


class Pen:
    """Draws on an image in units: 1/96 of the portrait's width, x from its middle, y from its top.

    Args:
        image: RGB, where alpha blends, or RGBA.
        scale: Pixels of a unit.
        middle: Pixel that is x = 0.
        top: Pixel that is y = 0.
    """

    def __init__(self, image: Image.Image, scale: float, middle: float, top: float) -> None:
        self.draw = ImageDraw.Draw(image, "RGBA" if image.mode == "RGB" else None)  # RGBA: alpha blends
        self.scale, self.middle, self.top = scale, middle, top

    def to_pixels(self, points: Points) -> list[tuple[float, float]]:
        """Converts points from units to pixels."""
        return [(self.middle + x * self.scale, self.top + y * self.scale) for x, y in points]

    def polygon(self, points: Points, fill: Colour) -> None:
        self.draw.polygon(self.to_pixels(points), fill)

    def blob(self, points: Points, fill: Colour) -> None:
        """A filled shape with a smooth outline through the points."""
        self.polygon(smooth(points, closed=True), fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """A filled ellipse by its centre and radii."""
        self.draw.ellipse(self.to_pixels([(x - rx, y - ry), (x + rx, y + ry)]), fill)

    def line(self, points: Points, fill: Colour, width: float) -> None:
        """A smooth line through the points."""
        self.draw.line(self.to_pixels(smooth(points)), fill, max(1, round(width * self.scale)), joint="curve")


def logistic(age: float, middle: float, width: float) -> float:
    """The logistic function of the age in years, 1/2 at `middle`."""
    return 1 / (1 + math.exp((middle - age) / width))


class Portrait:
    """One person, drawn larger than the images, in two layers with the mask between them.

    Args:
        gender: male or female.
        age: Years.
        size: Width and height of the images.
        rng: Random generator of this person.
    """

    MARGIN = 16  # units around an image, for rotation and translation
    OVERSAMPLING = 2  # times the size of the images

    def __init__(self, gender: str, age: int, size: tuple[int, int], rng: np.random.Generator) -> None:
        self.woman, self.age, self.size, self.rng = gender == "female", age, size, rng
        self.unit = min(size[0] / 96, size[1] / 128)  # pixels of an image
        self.grey = 0.08 * logistic(age, 42, 4) + 0.92 * logistic(age, 60, 1.5)  # share of grey in the hair
        self.creases = 0.75 * logistic(age, 30, 1.3) + 0.25 * logistic(age, 60, 4)  # strength of the wrinkles
        # height of the hairline
        self.forehead = 48 - 7 * logistic(age, 30, 1.5) - 4 * logistic(age, 58, 6) + rng.uniform(-0.7, 0.7)
        self.balding = 3 * logistic(age, 50, 6) + 6 * logistic(age, 61, 2) if gender == "male" else 0.0
        self.eyelids = 3.4 - 1.1 * logistic(age, 30, 2) - 0.5 * logistic(age, 60, 5)  # half an eye's height
        self.skin = self.colour_between(SKINS)
        self.skin = mix(self.skin, (190, 180, 170), 0.3 * logistic(age, 60, 5))
        self.shade = mix(self.skin, (90, 40, 30), 0.22)
        self.hair = mix(self.colour_between(HAIRS), GREY, self.grey)
        self.style = STYLES[rng.choice(len(STYLES), p=STYLE_SHARES)] if self.woman else "short"
        self.cheek = (18.6 if self.woman else 19.6) + rng.uniform(-0.8, 0.8)  # half the face's width
        self.chin = 86.5 + rng.uniform(-1.5, 1.5)
        self.masks = [MASKS[i] for i in rng.permutation(len(MASKS))]

        width, height = (round((side + 2 * self.MARGIN * self.unit) * self.OVERSAMPLING) for side in size)
        self.behind, self.front = Image.new("RGB", (width, height)), Image.new("RGBA", (width, height))
        pen = self.pen(self.behind)
        self.draw_wall(pen)
        self.draw_hair_behind(pen)
        self.draw_body(pen)
        self.draw_face(pen)
        self.draw_hair(self.pen(self.front))
        if rng.random() < 0.15:
            self.draw_glasses(self.pen(self.front))
        self.front_box = self.front.getbbox()
        self.front = self.front.crop(self.front_box)

    def colour_between(self, colours: Sequence[Colour]) -> Colour:
        """A random colour between two neighbours of a list."""
        k = int(self.rng.integers(len(colours) - 1))
        return mix(colours[k], colours[k + 1], self.rng.random())

    def pen(self, image: Image.Image) -> Pen:
        """A pen for one of the layers."""
        scale = self.OVERSAMPLING * self.unit
        return Pen(image, scale, image.width / 2, image.height - (128 + self.MARGIN) * scale)

    def draw_wall(self, pen: Pen) -> None:
        wall = WALLS[self.rng.integers(len(WALLS))]
        light = Image.linear_gradient("L").resize(self.behind.size)
        dark, bright = (Image.new("RGB", light.size, mix(wall, towards, 0.15)) for towards in (INK, WHITE))
        self.behind.paste(Image.composite(dark, bright, light))
        if self.rng.random() < 0.5:
            pen.ellipse(0, 58, 43, 43, (*mix(wall, WHITE, 0.4), 110))

    def draw_body(self, pen: Pen) -> None:
        colour = CLOTHES[self.rng.integers(len(CLOTHES))]
        width = 31 if self.woman else 40
        shoulders = [(8, 98), (14, 101), (width - 5, 107), (width, 116), (width + 4, 150)]
        pen.blob(mirrored(shoulders), colour)
        pen.polygon(mirrored([(0, 78), (7.5, 78), (8, 99)]), self.shade)
        if self.woman and self.rng.random() < 0.5:  # round neckline
            pen.ellipse(0, 98, 14, 9, self.shade)
        elif self.woman:  # V-neck
            pen.polygon([(-11, 97), (11, 97), (0, 117)], self.shade)
        elif self.rng.random() < 0.75:  # collar
            pen.polygon([(-8, 97), (8, 97), (0, 108)], self.shade)
            for side in (-1, 1):
                pen.polygon([(side * 8, 94), (side * 14, 101), (side * 8, 113), (0, 106)], mix(colour, WHITE, 0.5))

    def draw_face(self, pen: Pen) -> None:
        cheek, chin = self.cheek, self.chin
        for side in (-1, 1):
            pen.ellipse(side * cheek, 62, 3.4, 5, self.shade)
        jaw = 0.50 if self.woman else 0.68
        pen.blob(mirrored([(0, 32), (cheek * 0.7, 35), (cheek, 48), (cheek * 0.98, 64), (cheek * 0.86, 75),
                           (cheek * jaw, 83), (0, chin)]), self.skin)  # fmt: skip
        blush = 70 * logistic(-self.age, -32, 4)
        for side in (-1, 1):
            pen.ellipse(side * 11.5, 68, 4.6, 3.2, (236, 110, 100, round(blush)))
        self.draw_eyes(pen)
        pen.line([(-1.5, 58), (-2.6, 67), (-1.5, 69.5), (1.5, 70)], (*mix(self.shade, INK, 0.15), 230), 1.1)
        if not self.woman and self.rng.random() < 0.25:  # beard
            pen.blob(mirrored([(0, 72.5), (7, 74), (cheek * 0.9, 70), (cheek * jaw, 83), (0, chin)]),
                     (*mix(self.hair, self.skin, 0.15), 225))  # fmt: skip
        lips = (196, 78, 84) if self.woman else mix(self.shade, (170, 80, 70), 0.5)
        smile = self.rng.uniform(0.2, 1.8)
        pen.blob([(-6.4, 76.5 - smile / 2), (0, 76.2 + smile / 3), (6.4, 76.5 - smile / 2), (0, 79.4 + smile)], lips)
        self.draw_wrinkles(pen)

    def draw_eyes(self, pen: Pen) -> None:
        opening = self.eyelids
        brow = mix(self.hair, INK, 0.4)
        iris = ((58, 40, 32), (84, 58, 38), (70, 92, 80), (78, 104, 132))[self.rng.choice(4, p=(0.5, 0.3, 0.1, 0.1))]
        for side in (-1, 1):
            x = side * 8.2
            pen.ellipse(x, 58, 4.1, opening, (250, 248, 244))
            pen.ellipse(x, 58, 2.0, min(2.2, opening), iris)
            pen.ellipse(x, 58, 1.0, 1.0, INK)
            pen.ellipse(x + 0.8, 57.2, 0.6, 0.6, WHITE)
            pen.line([(x - 4.3, 58), (x, 57.6 - opening), (x + 4.3, 58)], INK, 1.8 if self.woman else 0.8)
            if self.woman:
                pen.line([(x + side * 3.6, 57), (x + side * 6, 54.8)], INK, 1.3)
            height = 51.5 if self.woman else 52.5
            pen.line([(x - side * 4, height + 0.8), (x + side * 1, height - 1), (x + side * 5, height + 1)], brow,
                     1.2 if self.woman else 2.8)  # fmt: skip

    def draw_wrinkles(self, pen: Pen) -> None:
        def crease(points: Points, width: float) -> None:
            pen.line(points, (*mix(self.shade, (16, 8, 8), 0.55), round(235 * self.creases)), width)

        crease([(-10, 47.6), (0, 46.4), (10, 47.6)], 1.5)
        crease([(-9, 43.8), (0, 42.6), (9, 43.8)], 1.5)
        for side in (-1, 1):
            crease([(side * 4.5, 62.6), (side * 8.4, 64.2), (side * 12, 62.4)], 1.7)
            crease([(side * 13.2, 57.5), (side * 16.6, 55.8)], 1.3)
            crease([(side * 13.2, 59), (side * 16.6, 60.4)], 1.3)
            crease([(side * 4.6, 69), (side * 8.4, 73), (side * 9, 78)], 1.2)

    def draw_hair_behind(self, pen: Pen) -> None:
        dark = mix(self.hair, INK, 0.4)
        if self.style == "bun":
            pen.ellipse(0, 22, 9, 8, self.hair)
            pen.ellipse(0, 23, 6, 4, dark)
        elif self.style in HAIR_ENDS:
            end = HAIR_ENDS[self.style] + 4
            pen.blob(mirrored([(0, 27), (17, 31), (25.5, 48), (27, 70), (26, end), (0, end + 2)]), dark)

    def draw_hair(self, pen: Pen) -> None:
        cheek, line, part = self.cheek, self.forehead, self.rng.uniform(-9, 9)
        outer: Points
        left: Points
        if self.style in HAIR_ENDS:
            end = HAIR_ENDS[self.style]
            outer = [(cheek + 3, end), (cheek + 7.5, end - 12), (cheek + 7, 60), (cheek + 5, 44), (15, 29), (0, 24.5)]
            left = [(-cheek - 1, end), (-cheek + 0.5, 66), (-cheek + 2.5, 52)]
            middle = [(part - 6, line - 1), (part, line - 4), (part + 6, line - 1)]
        else:
            end = 60 if self.style == "short" else 56
            outer = [(cheek + 0.5, end), (cheek + 2.2, 48), (16.5, 33), (0, 28)]
            left = [(-cheek + 1.2, end), (-cheek + 2.5, 51), (-12.5, line - self.balding)]
            middle = [(part, line + 1.5 - 0.7 * self.balding)]
        inner = [*left, *middle, *((-x, y) for x, y in reversed(left))]
        pen.polygon(smooth(mirrored(outer)) + smooth(inner), self.hair)
        shine = mix(self.hair, WHITE, 0.16)
        pen.line([(-15, 37), (-8, 32.5), (1, 31)], shine, 1.4)
        pen.line([(-12, 38.5), (-7, 35.5), (-2, 34.5)], shine, 1)

    def draw_glasses(self, pen: Pen) -> None:
        for x in (-8.4, 8.4):
            pen.draw.ellipse(pen.to_pixels([(x - 6, 53), (x + 6, 64)]), None, INK, max(1, round(pen.scale)))
        pen.line([(-2.5, 57.5), (0, 56.8), (2.5, 57.5)], INK, 1)

    def draw_mask(self, pen: Pen, mask: str, colour: Colour) -> None:
        """Draws a mask: `worn` from the bridge of the nose to below the chin, `incorrect` below nose or mouth."""
        rng, cheek, chin = self.rng, self.cheek, self.chin + 2
        on_chin = mask == "incorrect" and rng.random() < 0.3
        top = rng.uniform(62, 64.5) if mask == "worn" else 79.8 if on_chin else rng.uniform(72.2, 73.4)
        width = cheek * (1.01 if mask == "worn" else 0.88 if on_chin else 0.95)
        edge = top - 3 if on_chin else top + 3
        shadow = mix(colour, INK, 0.25)
        for side in (-1, 1):
            pen.line([(side * width * 0.97, edge + 1), (side * (cheek + 1), 60)], shadow, 1.0)
        for grow, fill in ((0.7, shadow), (0, colour)):
            pen.blob(mirrored([(0, top - grow), (7, top + 0.5 - grow), (width + grow, edge - grow),
                               (width * 0.95 + grow, max(77, edge + 3.5)), (cheek * 0.6, chin - 2 + grow),
                               (0, chin + grow)]), fill)  # fmt: skip
        for share in (0.4, 0.56, 0.72) if not on_chin else ():
            y = top + (chin - top) * share
            pen.line([(-cheek * 0.62, y), (0, y + 1.2), (cheek * 0.62, y)], shadow, 0.8)

    def picture(self, mask: str, number: int) -> Image.Image:
        """Draws an RGB image in a random pose and light.

        Args:
            mask: worn, incorrect or none.
            number: Number of the image, which chooses the colour of the mask.
        """
        # back layer, mask, front layer
        rng, canvas = self.rng, self.behind.copy()
        if mask != "none":
            self.draw_mask(self.pen(canvas), mask, self.masks[number % len(self.masks)])
        canvas.paste(self.front, self.front_box, self.front)
        # rotate, zoom and translate: an affine map from the image to the layers
        turn, zoom = math.radians(rng.normal(0, 3)), self.OVERSAMPLING / rng.uniform(1.02, 1.18)
        a, b = zoom * math.cos(turn), zoom * math.sin(turn)
        w, h = self.size
        x, y = np.array(canvas.size) / 2 + rng.normal(0, 3, 2) * self.unit
        affine = (a, -b, x - a * w / 2 + b * h / 2, b, a, y - b * w / 2 - a * h / 2)
        posed = canvas.transform(self.size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
        # light from one side, brightness, colour of the light, noise
        across = np.linspace(-1, 1, w)[None, :, None] * rng.normal(0, 0.06)
        light = (1 + across) * rng.uniform(0.8, 1.08) * (1 + rng.normal(0, 0.025, 3))
        grain = rng.standard_normal((h, w, 1), dtype=np.float32) * rng.uniform(0, 4)
        lit = np.asarray(posed) * light.astype(np.float32) + grain
        return Image.fromarray(lit.clip(0, 255).astype(np.uint8))
