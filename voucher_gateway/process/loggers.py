"""The loggers of this library. What a program logs with cannot stand for the outcome of a call.

A line is written while money moves. A handler, a filter or a record factory of the program that raises an error would
end the call with that error, and the caller would take a redemption that happened for one that failed.
"""

from __future__ import annotations

import logging
import sys
from types import MethodType
from typing import Any


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a name, which drops each line whose writing raises an error.

    It is the same logger for the program. `KeyboardInterrupt` and `SystemExit` pass.
    """
    logger = logging.getLogger(name)
    logger._log = MethodType(_write_line, logger)  # type: ignore[method-assign]  # all methods that write lines call it
    return logger


def _write_line(logger: logging.Logger, level: int, message: object, values: Any, **options: Any) -> None:
    options["stacklevel"] = options.get("stacklevel", 1) + 1  # the line is of the caller, not of this function
    try:
        type(logger)._log(logger, level, message, values, **options)
    except Exception as error:  # noqa: BLE001 - see above
        if logging.raiseExceptions and sys.stderr is not None:
            sys.stderr.write(f"{logger.name}: a handler of the log raised {type(error).__name__}\n")
