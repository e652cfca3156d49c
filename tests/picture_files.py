"""Pictures as the bytes of a file."""

import io

import numpy as np
from PIL import Image


def saved(image: Image.Image | np.ndarray, kind: str = "PNG", **options) -> bytes:
    """What Pillow writes for a picture."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
