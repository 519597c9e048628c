"""Where the temporary files of tests are."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
_NEEDED_BYTES: Final = 2 * 1024**3


def keep_temporary_files_in_memory() -> None:
    """Let temporary files be in memory where the system has enough of it, unless TMPDIR names a place.

    The library writes each commit through to the disk. In memory a commit takes a tenth of the CPU, and a new database
    a quarter.
    """
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _NEEDED_BYTES:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None
