"""Colors that a file declares without a profile, as a profile.

PNG (third edition, W3C 2025, 11.3.2) has the chunks gAMA, cHRM and cICP, AVIF the property `nclx`,
both of the latter with the numbers of ITU-T H.273, and Exif knows Adobe RGB. The curves of video
(BT.709 and its like) are taken for that of sRGB, as viewers do, and so is a gamma of 1/2.2.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL.Image import Exif

from swag.image.picture import Array

Primaries = tuple[float, ...]
"""The chromaticities x and y of white, red, green and blue."""

_D65 = (0.3127, 0.3290)
_SRGB: Primaries = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, Primaries] = {
    1: _SRGB,
    2: _SRGB,  # not specified
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_LIKE_SRGB = (1, 2, 6, 13, 14, 15)
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
HDR = {16: "PQ (HDR)", 18: "HLG (HDR)"}
"""Curves that are not applied."""
_EXIF, _INTEROPERABILITY, _COLOR_SPACE = 0x8769, 0xA005, 0xA001


@dataclass(frozen=True)
class DeclaredColors:
    """Primaries, and the exponent of the curve from samples to light, None for that of sRGB.

    If `overrides`, they win over a profile. A `note` says what is declared and not applied.
    """

    primaries: Primaries = _SRGB
    gamma: float | None = None
    overrides: bool = False
    note: str = ""

    def profile(self, *, gray: bool) -> bytes | None:
        """An ICC profile of these colors; none if they are those of sRGB."""
        if gray:
            return imagecodecs.cms_profile("gray", gamma=self.gamma) if self.gamma else None
        is_srgb = np.allclose(self.primaries, _SRGB, rtol=0, atol=2e-3)
        if is_srgb and self.gamma is None:
            return None
        points = [(*self.primaries[i : i + 2], 1.0) for i in (0, 2, 4, 6)]
        curve = {"transferfunction": _curve()} if self.gamma is None else {"gamma": self.gamma}
        return imagecodecs.cms_profile(
            "rgb", whitepoint=points[0], primaries=sum(points[1:], ()), **curve
        )


def profile_of(
    embedded: bytes | None, declared: DeclaredColors, exif: Exif, *, gray: bool
) -> bytes | None:
    """The profile of a picture: that in its file, or one of the colors that it declares."""
    if embedded and not declared.overrides:
        return embedded
    profile = declared.profile(gray=gray)
    if profile is None and not gray and _is_adobe_rgb(exif):
        return imagecodecs.cms_profile("adobergb")
    return profile


def colors_of_png(chunks: dict[bytes, bytes]) -> DeclaredColors:
    """The colors that chunks of a PNG declare."""
    codes = chunks.get(b"cICP", b"")
    if len(codes) == 4 and codes[2:] == b"\0\1":
        return _colors_by_code(codes[0], codes[1])
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return DeclaredColors()
    primaries, gamma = _SRGB, None
    if len(chunks.get(b"cHRM", b"")) == 32:
        primaries = tuple(n / 100_000 for n in struct.unpack(">8I", chunks[b"cHRM"]))
    if len(chunks.get(b"gAMA", b"")) == 4:
        (stored,) = struct.unpack(">I", chunks[b"gAMA"])
        if not 10_000 <= stored <= 1_000_000:
            return DeclaredColors(note=_note(f"a gamma of {stored / 100_000:g}"))
        gamma = 100_000 / stored if abs(stored - 45_455) > 500 else None
    colors = DeclaredColors(primaries, gamma)
    try:
        colors.profile(gray=False)
    except imagecodecs.CmsError:
        return DeclaredColors(note=_note("primaries that do not exist"))
    return colors


def colors_of_avif(properties: Sequence[bytes]) -> DeclaredColors:
    """The colors that properties `colr` of an AVIF declare."""
    codes = next((body[4:10] for body in properties if body[:4] == b"nclx"), b"")
    if len(codes) < 6 or any(body[:4] in (b"prof", b"rICC") for body in properties):
        return DeclaredColors()
    return _colors_by_code(int.from_bytes(codes[:2]), int.from_bytes(codes[2:4]))


def _colors_by_code(primaries: int, transfer: int) -> DeclaredColors:
    """Colors by their numbers in H.273."""
    is_applied = transfer in _LIKE_SRGB or transfer in _GAMMAS
    if primaries not in _PRIMARIES or not is_applied:
        declared = HDR.get(transfer, f"numbers {primaries} and {transfer} of H.273")
        return DeclaredColors(note=_note(declared))
    return DeclaredColors(_PRIMARIES[primaries], _GAMMAS.get(transfer), overrides=True)


def _note(declared: str) -> str:
    return f"its colors are declared as {declared}, which is not applied; they are read as sRGB"


def _is_adobe_rgb(exif: Exif) -> bool:
    """Whether Exif declares Adobe RGB, by color space, or as cameras do by interoperability."""
    try:
        fields = exif.get_ifd(_EXIF)
        if _INTEROPERABILITY not in fields or _COLOR_SPACE not in fields:
            return bool(fields.get(_COLOR_SPACE) == 2)
        by_camera = exif.get_ifd(_INTEROPERABILITY).get(1) == "R03"
    except (LookupError, ValueError, TypeError, OSError, SyntaxError, struct.error):
        return False  # damaged: it says nothing
    return bool(fields[_COLOR_SPACE] == 2 or (by_camera and fields[_COLOR_SPACE] != 1))


def _curve() -> Array:
    """The transfer curve of sRGB: light, in 16 bits, at 4096 evenly spaced samples."""
    samples = np.linspace(0, 1, 4096)
    light = np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)
    curve: Array = np.rint(light * 65535).astype(np.uint16)
    return curve
