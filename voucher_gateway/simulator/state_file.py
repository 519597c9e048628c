"""The file that keeps a simulator's ledger between runs, and the JSON values of its records."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cattrs.preconf.json import make_converter

from voucher_gateway.simulator.http.strict_json import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from voucher_gateway.simulator.simulator import Simulator


T = TypeVar("T")

# Plain errors instead of groups of them: a state file is reported as wrong, and no more.
_CONVERTER: Final = make_converter(detailed_validation=False)
_CONVERTER.register_unstructure_hook(Decimal, str)
_CONVERTER.register_structure_hook(Decimal, lambda text, _: Decimal(text))


def to_records(value: object) -> Any:
    """Return attrs objects, and lists and dicts of them, as fresh JSON values: instants and Decimals as text."""
    return _CONVERTER.unstructure(value)


def from_records(kind: type[T], value: Any) -> T:
    """Return what `to_records` wrote, such as a ``list[StoredVoucher]``, by the annotations of its classes.

    Raises:
        LookupError, TypeError, ValueError: for anything else.
    """
    return _CONVERTER.structure(value, kind)


def restore_state(simulator: Simulator, path: Path | None) -> bool:
    """Load the ledger and the clock of a simulator from its file; return False if it does not exist.

    Raises:
        ValueError: if the file is not one of this simulator.
        OSError: if it cannot be read.
    """
    if path is None or not path.exists():
        return False
    saved: Any = json.loads(path.read_bytes() or "null", parse_float=Decimal)
    try:
        if saved["simulator"] != simulator.name:
            raise ValueError("it is of another simulator")
        simulator.load(saved["ledger"])
        simulator.clock.move_to(datetime.fromisoformat(saved["now"]))
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"the state file is not one of the simulator {simulator.name}: {error}") from error
    return True


def save_state(simulator: Simulator, path: Path | None) -> None:
    """Write the ledger and the clock of a simulator to its file. Only the owner can read it: it holds codes."""
    if path is None:
        return
    saved = {"simulator": simulator.name, "now": simulator.clock.now().isoformat(), "ledger": simulator.dump()}
    # Not `AtomicFile`: simulators share no code with the core. mkstemp makes a file that only the owner can read.
    handle, temporary = tempfile.mkstemp(dir=path.resolve().parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(write_json(saved))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
