"""Colors: from what a file holds to sRGB.

Profiles are applied by LittleCMS through imagecodecs rather than through Pillow, which keeps
8 bits only: 16 bits come out of every conversion.
"""

import warnings
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from PIL import ImageCms

from swag.image.limits import MAX_PROFILE_BYTES
from swag.image.picture import Array, ColorModel, Raster, to_unit
from swag.messages import one_line


@cache
def srgb_profile() -> bytes:
    """The sRGB ICC profile of LittleCMS, without its date: the same bytes at every call."""
    profile = bytearray(_standard("sRGB"))
    profile[24:36] = bytes(12)  # the time of creation, which would make equal pictures differ
    return bytes(profile)


def usable_profile(raster: Raster, name: str) -> bytes | None:
    """The profile of a picture, tried on one pixel of it; None, with a warning, if it is of no use.

    Of no use is one that is broken, larger than 4 MiB or made for other colors than the picture
    has. Pillow, and so `read_metadata`, refuses a PNG with a profile of more than 1 MiB.
    """
    profile = raster.profile
    if not profile or profile == srgb_profile():
        return None
    try:
        _transform(raster.samples[:1, :1], raster.colors, profile)
    except (imagecodecs.CmsError, ValueError) as error:
        warnings.warn(
            f"{name}: its color profile cannot be used ({one_line(error)}); its colors are "
            "read as if it had none",
            stacklevel=2,
        )
        return None
    return profile


def to_srgb(raster: Raster, name: str) -> Array:
    """The colors of a raster as sRGB in [0, 1], height x width x 3, float32.

    A profile, which must be a usable one, is followed with its perceptual intent, through 16 bits.
    Without one values are sRGB; CMYK is then (1 - C)(1 - K), which is what viewers show. Gamma and
    primaries that a file declares without a profile come as one: see `color_space`.
    """
    if raster.profile is not None:
        return _transform(raster.samples, raster.colors, raster.profile)
    if raster.colors == "lab":
        return _transform(raster.samples, "lab", _standard("LAB"))
    samples = to_unit(raster.samples, name)
    if raster.colors == "cmyk":
        paper: Array = 1 - samples
        return paper[..., :3] * paper[..., 3:]
    return samples if raster.colors == "rgb" else samples.repeat(3, axis=2)


def _transform(samples: Array, colors: ColorModel, profile: bytes) -> Array:
    if len(profile) > MAX_PROFILE_BYTES:
        raise ValueError(f"{len(profile)} bytes, more than {MAX_PROFILE_BYTES}")
    if samples.dtype not in (np.uint8, np.uint16):
        samples = np.rint(to_unit(samples, "a picture") * 65535).astype(np.uint16)
    if colors == "gray":
        # Every value once, and exactly: LittleCMS's shortcut errs by 4 % in the shadows of a gray.
        table = np.arange(np.iinfo(samples.dtype).max + 1, dtype=samples.dtype)[None]
        exact = _to_16_bits(table, colors, profile, imagecodecs.CMS.FLAGS.NOOPTIMIZE)
        return to_unit(exact[0], "a picture")[samples[..., 0]]
    return to_unit(_to_16_bits(np.ascontiguousarray(samples), colors, profile), "a picture")


def _to_16_bits(samples: Array, colors: ColorModel, profile: bytes, flags: int = 0) -> Array:
    return imagecodecs.cms_transform(
        samples,
        profile,
        srgb_profile(),
        colorspace=colors,
        outcolorspace="rgb",
        outdtype="uint16",
        intent=imagecodecs.CMS.INTENT.PERCEPTUAL,
        flags=flags,
    )


def _standard(space: Any) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()
