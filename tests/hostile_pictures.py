"""Hostile pictures that keep the structure of their format, made anew from a seed and read.

    python tests/hostile_pictures.py --cases 20000 --seed 0
    python tests/hostile_pictures.py --cases 20000 --seed 0 --digests

Chunks, segments, tags and boxes are dropped, doubled, put in another order or filled with what lies
about sizes, with right checksums, so that decoders go beyond the first check; files are spliced,
and damaged as in mutations.py. Each must be read, or refused by an ImageError of one line, within
CPU time and memory that are counted. With `--digests` a line is printed for each: the hash of the
picture that was read, which is to be the same whatever the process had in its memory before.
"""

import argparse
import contextlib
import gc
import hashlib
import io
import random
import struct
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import mutations
import numpy as np
import tifffile
import torch
from PIL import Image

from swag.errors import ImageError
from swag.image import decode, read

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 56, 4)).astype(np.uint8)
RGB, GRAY = np.ascontiguousarray(PIXELS[..., :3]), np.ascontiguousarray(PIXELS[..., 0])
DEEP = RGB.astype(np.uint16) * 257
LIMIT = 1 << 16
"""The most pixels that are read."""
SECONDS = 1.0
"""The most CPU time that a file may take."""
MEMORY = 64 << 20
"""The most bytes by which the process may grow over a file."""
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    40,
    56,
    255,
    256,
    4096,
    65535,
    1 << 24,
    (1 << 31) - 1,
    (1 << 32) - 1,
)

Draw = random.Random


def _saved(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, kind, exif=exif, **options)
    return stream.getvalue()


def _plain(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _run_lengths() -> bytes:
    """A BMP of 8 bits in runs (RLE8), with jumps."""
    rows = b"".join(bytes((20, n, 36, n + 1, 0, 0)) for n in range(38)) + bytes((0, 2, 5, 1, 3, 9))
    rows += bytes((0, 1))
    colors = bytes(range(256)) * 4
    head = struct.pack("<IiiHHIIiiII", 40, 56, 40, 1, 8, 1, len(rows), 0, 0, 256, 0)
    at = 14 + len(head) + len(colors)
    return b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + head + colors + rows


def _tiff(samples: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    options = {"photometric": "rgb", "metadata": None, "rowsperstrip": 16} | options
    if "tile" in options:
        del options["rowsperstrip"]
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


def _seeds() -> dict[str, list[bytes]]:
    """Whole files of each format."""
    profile = bytearray(imagecodecs.cms_profile("adobergb"))
    profile[24:36] = bytes(12)  # the time
    profile = bytes(profile)
    planes = np.ascontiguousarray(np.moveaxis(DEEP, -1, 0))
    palette = Image.fromarray(RGB).quantize(17)
    cmyk = Image.frombytes("CMYK", (56, 40), PIXELS.tobytes())
    compressed = ("deflate", "lzw", "packbits", "zstd", "jpeg", "webp")
    return {
        "png": [
            _saved(RGB, "PNG", icc_profile=profile),
            _saved(PIXELS, "PNG"),
            _saved(palette, "PNG", transparency=3),
            _saved(Image.fromarray(GRAY).convert("1"), "PNG"),
            bytes(imagecodecs.png_encode(DEEP)),
            bytes(imagecodecs.png_encode(DEEP[..., 0].copy())),
        ],
        "jpeg": [
            _saved(RGB, "JPEG", icc_profile=profile),
            _saved(RGB, "JPEG", progressive=True),
            _saved(RGB, "JPEG", restart_marker_blocks=2, subsampling="4:4:4"),
            _saved(cmyk, "JPEG"),
            _saved(GRAY, "JPEG"),
        ],
        "tiff": [
            *(_tiff(RGB, compression=kind) for kind in compressed),
            *(_tiff(RGB, compression=kind, tile=(16, 32)) for kind in compressed),
            _tiff(RGB),
            *(_tiff(samples, rowsperstrip=40) for samples in (RGB, DEEP, np.float32(RGB / 255))),
            _tiff(GRAY, rowsperstrip=40, photometric="minisblack"),
            _tiff(DEEP, byteorder=">", compression="zlib", predictor=True, iccprofile=profile),
            _tiff(planes, planarconfig="separate", compression="lzw"),
            _tiff(planes, planarconfig="separate", tile=(16, 16)),
            _tiff(np.float32(RGB / 255), bigtiff=True),
            _tiff(np.float32(RGB / 255), compression="zlib", predictor=True),
            _tiff(GRAY >> 4, photometric="minisblack", bitspersample=4),
            _saved(palette, "TIFF"),
            _saved(cmyk, "TIFF"),
            _saved(Image.fromarray(GRAY).convert("1"), "TIFF", compression="group4"),
        ],
        "webp": [
            _saved(RGB, "WEBP", icc_profile=profile),
            _saved(PIXELS, "WEBP", lossless=True),
            _saved(RGB, "WEBP", save_all=True, append_images=[Image.fromarray(RGB[::-1].copy())]),
        ],
        "avif": [_saved(RGB, "AVIF", icc_profile=profile), _saved(PIXELS, "AVIF")],
        "gif": [
            _plain(palette, "GIF"),
            _plain(palette, "GIF", transparency=3, interlace=0),
            _plain(palette, "GIF", save_all=True, append_images=[palette.rotate(90)]),
        ],
        "bmp": [_plain(image, "BMP") for image in (Image.fromarray(RGB), palette)]
        + [
            _plain(Image.fromarray(PIXELS), "BMP"),
            _plain(Image.fromarray(GRAY).convert("1"), "BMP"),
        ]
        + [_run_lengths()],
    }


# --- structure ---------------------------------------------------------------------------------


def _shuffled(
    parts: list[bytes], draw: Draw, change: Callable[[bytes, Draw], bytes]
) -> list[bytes]:
    """Parts of a file with one to three of them changed, dropped, doubled or moved."""
    parts = list(parts)
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = draw.randrange(len(parts))
        what = draw.randrange(6)
        if what == 0 and len(parts) > 1:
            parts.pop(at)
        elif what == 1:
            parts[at:at] = [parts[at]] * draw.choice((1, 2, 100))
        elif what == 2:
            parts.insert(draw.randrange(len(parts)), parts.pop(at))
        else:
            parts[at] = change(parts[at], draw)
    return parts


def _poked(data: bytes, draw: Draw) -> bytes:
    """Some bytes with a number, or another byte, or noise, written over or put in."""
    at = draw.randrange(len(data) + 1) if data else 0
    number = draw.choice(NUMBERS)
    what = draw.choice(
        (
            struct.pack(">I", number),
            struct.pack("<I", number),
            struct.pack(">H", number & 65535),
            struct.pack("<H", number & 65535),
            bytes([draw.randrange(256)]),
            draw.randbytes(24),
            b"\x1b]0;title\x07\r\n\x9b31m",
        )
    )
    return data[:at] + what + data[at + (len(what) if draw.random() < 0.8 else 0) :]


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_chunks(data: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8 + length]
        at += length + 12


def _png(data: bytes, draw: Draw) -> bytes:
    def change(part: bytes, draw: Draw) -> bytes:
        kind, body = part[:4], part[4:]
        if kind == b"IDAT" and draw.random() < 0.7:
            with contextlib.suppress(zlib.error):
                body = zlib.decompress(body)
            rows = draw.choice((body[: len(body) // 2], body[:-1], body + body, _poked(body, draw)))
            return kind + zlib.compress(rows)
        if draw.random() < 0.3:
            kind = draw.choice(
                (
                    b"tRNS",
                    b"gAMA",
                    b"cHRM",
                    b"PLTE",
                    b"eXIf",
                    b"acTL",
                    b"fcTL",
                    b"fdAT",
                    b"zTXt",
                    b"iCCP",
                    b"sBIT",
                    b"cICP",
                    b"A\x1b[m",
                    b"tEXt",
                )
            )
        return kind + _poked(body, draw)

    parts = _shuffled(list(_png_chunks(data)), draw, change)
    return data[:8] + b"".join(chunk(part[:4], part[4:]) for part in parts)


def _jpeg(data: bytes, draw: Draw) -> bytes:
    parts, at = [], 2
    while at < len(data) and data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4])
        parts.append(data[at : at + length])
        at += length
    scans = data[at:-2]
    cut = draw.choice((len(scans), len(scans), len(scans) // 2, len(scans) - 9))

    def change(part: bytes, draw: Draw) -> bytes:
        body = _poked(part[4:], draw)
        return part[:2] + struct.pack(">H", min(65535, len(body) + 2)) + body

    return data[:2] + b"".join(_shuffled(parts, draw, change)) + scans[:cut] + data[-2:]


TAGS = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    270,
    273,
    274,
    277,
    278,
    279,
    284,
    292,
    317,
    320,
    322,
    323,
    324,
    325,
    338,
    339,
    347,
    530,
    32997,
    34675,
    42113,
    50838,
)
VALUES = {
    259: (
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        32773,
        32946,
        33007,
        34712,
        34887,
        34925,
        34933,
        50000,
        50001,
        50002,
        65000,
    ),
    262: tuple(range(10)),
    258: (1, 2, 4, 8, 12, 16, 24, 32, 64),
    339: (1, 2, 3, 4, 5, 6),
    284: (1, 2),
    317: (1, 2, 3, 34894),
    277: (1, 2, 3, 4, 5, 9),
    266: (1, 2),
    338: (0, 1, 2),
}


def _changed_tag(part: bytes, form: str, draw: Draw, length: int) -> bytes:
    """A tag of a TIFF with another number, type, count or value."""
    tag, kind, number, value = struct.unpack(form, part)
    what = draw.randrange(5)
    if what == 0:
        tag = draw.choice(TAGS)
    elif what == 1:
        kind = draw.choice((1, 2, 3, 4, 5, 7, 11, 12, 13, 16, 0, 99))
    elif what == 2:
        number = draw.choice((0, 1, 2, 3, number + 1, *NUMBERS))
    big = form.endswith("Q")
    short = kind == 3 and number == 1 and form[0] == ">"  # stands in the upper half
    if what > 2 or draw.random() < 0.5:
        known = VALUES.get(tag, (*NUMBERS, value - 1 & 0xFFFFFFFF, value + 1, length))
        value = draw.choice(known) << (16 * (3 if big else 1) if short else 0)
    return struct.pack(form, tag, kind, number, value & ((1 << (64 if big else 32)) - 1))


def _taller_tag(part: bytes, form: str, rows: int) -> bytes:
    """A tag of a TIFF; those of rows, in all and in a strip, say more than there are."""
    tag, _, number, _ = struct.unpack(form, part)
    return struct.pack(form, tag, 4, number, rows) if tag in (257, 278) else part


def _tiff_entries(data: bytes, draw: Draw) -> bytes:
    """Tags of the first directory of a TIFF changed; unless they stay in
    their place, it is written behind the file."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack(order + "H", data[2:4])[0] == 43
    form, offset = order + ("HHQQ" if big else "HHII"), order + ("Q" if big else "I")
    count, at = order + ("Q" if big else "H"), 8 if big else 4
    (start,) = struct.unpack_from(offset, data, at)
    (entries,) = struct.unpack_from(count, data, start)
    first, size = start + struct.calcsize(count), struct.calcsize(form)
    parts = [data[first + n * size : first + (n + 1) * size] for n in range(entries)]
    if draw.random() < 0.3:
        rows = draw.choice((41, 64, 100, 512))
        taller = b"".join(_taller_tag(part, form, rows) for part in parts)
        return data[:first] + taller + data[first + len(taller) :]
    parts = _shuffled(parts, draw, lambda part, draw: _changed_tag(part, form, draw, len(data)))
    if draw.random() < 0.7:
        parts.sort(key=lambda part: struct.unpack(order + "H", part[:2]))
    head = struct.pack(offset, len(data))
    table = struct.pack(count, len(parts)) + b"".join(parts) + bytes(len(head))
    return data[:at] + head + data[at + len(head) :] + table


def _webp(data: bytes, draw: Draw) -> bytes:
    parts, at = [], 12
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        parts.append(data[at : at + 4] + data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    parts = _shuffled(parts, draw, lambda part, draw: part[:4] + _poked(part[4:], draw))
    body = b"".join(
        part[:4] + struct.pack("<I", len(part) - 4) + part[4:] + bytes(len(part) % 2)
        for part in parts
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


BOXES = (b"meta", b"iprp", b"ipco", b"iinf")


def _boxes(data: bytes, draw: Draw) -> bytes:
    """Boxes of AVIF; those within them as well, by chance."""
    parts, at = [], 0
    while at + 8 <= len(data):
        length = max(8, int.from_bytes(data[at : at + 4]))
        parts.append(data[at + 4 : at + length])
        at += length

    def change(part: bytes, draw: Draw) -> bytes:
        kind, body = part[:4], part[4:]
        fixed = {b"meta": 4, b"iinf": 6}.get(kind, 0)
        if kind in BOXES and draw.random() < 0.8 and len(body) > fixed + 8:
            return kind + body[:fixed] + _boxes(body[fixed:], draw)
        return kind + _poked(body, draw)

    parts = _shuffled(parts, draw, change) if parts else [b"free"]
    return b"".join(struct.pack(">I", len(part) + 4) + part for part in parts)


def _gif(data: bytes, draw: Draw) -> bytes:
    """Blocks of a GIF, and the sizes that its head and its frames declare."""
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    head, parts = data[:at], []
    while at < len(data) and data[at] in b"!,":
        begin = at
        at += 2 if data[at] == 0x21 else 11 + (3 << (data[at + 9] & 7) + 1) * (data[at + 9] >> 7)
        while data[at]:
            at += 1 + data[at]
        at += 1
        parts.append(data[begin:at])
    parts = _shuffled(parts, draw, _poked) if parts else []
    if draw.random() < 0.3:
        head = head[:6] + _poked(head[6:13], draw) + head[13:]
    return head + b"".join(parts) + b";"


def _bmp(data: bytes, draw: Draw) -> bytes:
    """The head of a BMP, and its pixels."""
    if draw.random() < 0.7:
        return data[:10] + _poked(data[10:54], draw) + data[54:]
    return data[:54] + _poked(data[54:], draw)


CHANGES = {
    "png": _png, "jpeg": _jpeg, "tiff": _tiff_entries, "webp": _webp, "avif": _boxes, "gif": _gif,
    "bmp": _bmp,
}  # fmt: skip


def hostile(seeds: dict[str, list[bytes]], draw: Draw, kind: str) -> bytes:
    """A hostile file of a format."""
    data = draw.choice(seeds[kind])
    what = draw.random()
    if what < 0.15:
        return mutations.mutated(data, draw)
    if what < 0.2:
        other = draw.choice(seeds[draw.choice(list(seeds))])
        return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]
    for _ in range(draw.choice((1, 1, 2))):
        try:
            data = CHANGES[kind](data, draw)
        except (struct.error, IndexError, OverflowError):  # what was changed is no structure now
            return mutations.mutated(data, draw)
    return data


# --- reading -----------------------------------------------------------------------------------


def digest(source: bytes | Path, size: int | None, limit: int = LIMIT) -> str:
    """The hash of what was read, "refused", or a fault in words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            picture = read(source, size=size, max_pixels=limit)
    except ImageError as error:
        text = str(error)
        return "refused" if text.isprintable() and len(text) < 500 else f"words: {text!r}"
    except Exception as error:  # whatever it is, it is what is looked for here
        return f"{type(error).__name__}: {error}"
    layers = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha]
    return hashlib.sha256(torch.cat(layers).numpy().tobytes()).hexdigest()


def _held(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


@contextlib.contextmanager
def _older_objects_left_alone() -> Iterator[None]:
    """Garbage is looked for among new objects only: a million older ones are no file's cost."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def cost(source: bytes | Path, size: int | None, limit: int = LIMIT) -> tuple[str, float, int]:
    """What came of a file, the CPU time that it took, and the memory beyond what there was."""
    Path("/proc/self/clear_refs").write_text("5")  # what the process has held at most: as of now
    before, began = _held("VmRSS"), time.process_time()
    result = digest(source, size, limit)
    return result, time.process_time() - began, _held("VmHWM") - before


def cases(count: int, seed: int) -> Iterator[tuple[int, str, bytes, int | None]]:
    """Number, format, file, and the size that it is read with; the format in turn.

    Every third is read as a large one is, by libvips where that is there.
    """
    seeds, large = _seeds(), decode.LARGE_PIXELS
    for number in range(count):
        kind = list(seeds)[number % len(seeds)]
        draw = random.Random(f"{seed}/{number}")
        decode.LARGE_PIXELS = 1 if number % 3 == 0 else large
        yield number, kind, hostile(seeds, draw, kind), draw.choice((None, None, 17, 90))
    decode.LARGE_PIXELS = large


def run(count: int, seed: int) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Read so many: counts by format and outcome, and the faults.

    What takes too long is read once more: a file costs the same again, the rest of the process and
    the machine do not.
    """
    counts: Counter[tuple[str, str]] = Counter()
    faults = []
    with _older_objects_left_alone():
        for number, kind, data, size in cases(count, seed):
            result, seconds, memory = cost(data, size)
            if seconds > SECONDS:
                seconds = min(seconds, cost(data, size)[1])
            known = "refused" if result == "refused" else "read" if len(result) == 64 else "fault"
            if seconds > SECONDS or memory > MEMORY:
                result, known = f"{seconds:.1f} s, {memory >> 20} MiB: {result}", "fault"
            counts[kind, known] += 1
            if known == "fault":
                faults.append(f"{kind}, seed {seed}, case {number}: {result}")
    return counts, faults


def main() -> None:
    """Read a corpus; print a table, or the digests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--digests", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.digests:
        for number, kind, data, size in cases(options.cases, options.seed):
            print(number, kind, digest(data, size), flush=True)
        return
    began = time.perf_counter()
    counts, faults = run(options.cases, options.seed)
    for kind in CHANGES:
        row = [counts[kind, known] for known in ("read", "refused", "fault")]
        print(f"{kind:5} read {row[0]:5} refused {row[1]:5} faults {row[2]:3}")
    print(f"{options.cases} files, {len(faults)} faults, {time.perf_counter() - began:.0f} s")
    print(*faults, sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
