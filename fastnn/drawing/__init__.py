"""Drawing: the computational graph as a picture."""

from fastnn.drawing.picture import Drawing, draw

__all__ = ["Drawing", "draw"]
