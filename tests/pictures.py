"""Pictures for tests in which nobody looks at them: one pixel, and a digest of what the figure shows.

To draw a figure takes half the time of a small study. How figures look is tested in
tests/analyses/test_figures.py, and that those of a study can be drawn in tests/study/test_study.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from PIL import Image, PngImagePlugin


def small_png(figure: Figure) -> bytes:
    """A PNG that differs where figures show other data, other colours or other words."""
    digest = hashlib.sha256()
    for piece in _shown(figure):
        digest.update(piece if isinstance(piece, bytes) else repr(piece).encode())
    info = PngImagePlugin.PngInfo()
    info.add_text("shows", digest.hexdigest())
    buffer = BytesIO()
    Image.new("1", (1, 1)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _shown(figure: Figure) -> Iterator[object]:
    yield from map(_words, figure.texts)
    for axes in figure.axes:
        yield axes.viewLim.bounds
        yield from (axes.get_title(), axes.get_xlabel(), axes.get_ylabel())
        for artist in axes.get_children():
            yield from _of(artist)


def _of(artist: Artist) -> Iterator[object]:
    yield type(artist).__name__
    if isinstance(artist, Text):
        yield _words(artist)
    elif isinstance(artist, Line2D):
        yield from (_bytes(artist.get_xydata()), artist.get_color(), artist.get_linestyle())
    elif isinstance(artist, Collection):
        yield from (_bytes(artist.get_offsets()), _bytes(artist.get_facecolor()), _bytes(artist.get_array()))
        yield from (_bytes(path.vertices) for path in artist.get_paths())
    elif isinstance(artist, Patch):
        yield from (_bytes(artist.get_path().vertices), artist.get_facecolor(), artist.get_extents().bounds)
    elif isinstance(artist, AxesImage):
        yield _bytes(artist.get_array())


def _words(text: Text) -> object:
    return text.get_text(), text.get_position()


def _bytes(values: object) -> bytes:
    return b"" if values is None else np.asarray(values, dtype=np.float64).tobytes()
