"""Published weights: found on disk, or downloaded, or an error that says what to do."""

import contextlib
import re
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch

from swag.errors import WeightsError

_PATIENCE = 20.0
"""Seconds without an answer after which a download is given up."""

_ALTERNATIVES = "without it: --backbone swag/resnet (bundled) or --weights random"


def fetch(url: str) -> Path:
    """The file of a URL in torch's cache (`TORCH_HOME`), downloaded if it is not there.

    The check sum in the name of the file is verified at the download.

    Raises:
        WeightsError: it is not there and cannot be downloaded.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / Path(urlparse(url).path).name
    if path.is_file():
        return path
    check_sum = re.search(r"-([0-9a-f]{8,})\.", path.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with patience():
            torch.hub.download_url_to_file(
                url,
                str(path),
                check_sum and check_sum.group(1),
                progress=sys.stderr.isatty(),
            )
    except (OSError, HTTPException, RuntimeError) as error:
        raise missing_weights(path.name, folder, error) from error
    return path


def fetch_from_hub(repository: str, file: str) -> Path:
    """A file of Hugging Face from its cache (`HF_HOME`), downloaded if it is not there.

    Raises:
        WeightsError: it is not there and cannot be downloaded.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return Path(cached)
    try:
        with patience():
            if not constants.HF_HUB_OFFLINE:
                _check_connection(constants.ENDPOINT)
            return Path(hf_hub_download(repository, file))
    except Exception as error:
        is_expected = isinstance(error, (OSError, HTTPException, ValueError))
        # Errors of httpx, which the hub's client may use, derive from none of these.
        if not is_expected and not type(error).__module__.startswith("httpx"):
            raise
        raise missing_weights(
            f"{repository}/{file}", Path(constants.HF_HUB_CACHE), error
        ) from error


def _check_connection(url: str) -> None:
    """Fail at once if there is no network; the hub's own client tries for a minute."""
    with contextlib.suppress(HTTPError):  # an answer, too
        urlopen(Request(url, method="HEAD")).close()


def missing_weights(file: str, folder: Path, reason: BaseException) -> WeightsError:
    """The error, one line, about weights that are not there."""
    message = str(reason).partition("\n")[0] or type(reason).__name__
    return WeightsError(
        f"pretrained weights {file} are not in {folder} and cannot be downloaded ({message}); "
        f"put the file there, or give it with --weights FILE; {_ALTERNATIVES}"
    )


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Give up connections that stay silent; torch's download would wait forever."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)
