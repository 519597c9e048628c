"""What callers do, and `recover`: take over, look, and begin again where nothing moved."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model_check.rules import Rules
from tests.model_check.system import Operation, Row, System, Worker

MOST_ATTEMPTS = 2

Step = tuple[str, System]


def put(system: System, buyer: int, operation: Operation) -> System:
    """Return the system with another state of one operation."""
    before, after = system.operations[:buyer], system.operations[buyer + 1 :]
    return system._replace(operations=(*before, operation, *after))


def callers(system: System, rules: Rules) -> Iterator[Step]:
    """Yield all that a caller, or `recover`, can do next."""
    for buyer, operation in enumerate(system.operations):
        if any(worker.locked for worker in operation.workers):
            continue  # in progress
        if operation.state == "none" and buyer > 0 and system.operations[buyer - 1].state == "none":
            continue  # the buyers are alike: whoever begins is the first
        if operation.state in ("open", "unknown"):
            for found in _settle(system, rules, buyer, _take_over(operation, rules)):
                yield f"recover looks at {buyer}: {found.state}", put(system, buyer, found)
                if found.state == "unknown" and not rules.no_repeat_while_unknown:
                    yield from _begin(system, buyer, found)
        elif operation.state in ("none", "not_executed") or not rules.replay:
            yield from _begin(system, buyer, operation)
        if operation.state == "succeeded" and not rules.same_key_same_intent:
            yield f"buyer {buyer} calls for something else", system._replace(misled=True)


def _begin(system: System, buyer: int, operation: Operation) -> Iterator[Step]:
    if operation.attempt >= MOST_ATTEMPTS or len(operation.workers) > 1:
        return
    epoch, attempt = operation.epoch + 1, operation.attempt + 1
    worker = Worker("reserve" if operation.kind == "redeem" else "look", epoch, attempt)
    workers = (*operation.workers, worker)
    begun = operation._replace(state="open", epoch=epoch, attempt=attempt, workers=workers)
    yield f"buyer {buyer} calls: attempt {attempt}", put(system, buyer, begun)


def _take_over(operation: Operation, rules: Rules) -> Operation:
    """Return an operation after its dead worker was ended: a request that has a row may have been sent."""
    if operation.state != "open":
        return operation
    workers = operation.workers
    if rules.epoch_fencing:  # who only waits for an answer can do nothing any more
        workers = tuple(one for one in workers if one.at not in ("wait", "record"))
    state = "unknown" if operation.rows else "not_executed"
    return operation._replace(epoch=operation.epoch + 1, state=state, workers=workers)


def _settle(system: System, rules: Rules, buyer: int, operation: Operation) -> Iterator[Operation]:
    """Yield what a look at the vendor can make of an operation; a lagging look can find less."""
    if operation.state != "unknown":
        yield operation
        return
    look = _of_redeem if operation.kind == "redeem" else _of_refund
    for state, result in set(look(system, rules, buyer, operation.rows)):
        rows = operation.rows if state == "unknown" else ()
        yield operation._replace(state=state, rows=rows, result=result)


def _of_redeem(system: System, rules: Rules, _: int, rows: tuple[Row, ...]) -> Iterator[tuple[str, int]]:
    names = {row.reference for row in rows}
    there = [number for number, charge in enumerate(system.charges) if charge.reference in names]
    if there:
        yield "succeeded", there[0]
    if there and rules.absence_by_whole_history:
        return
    # Not there, or not to be seen by a filter that lags behind.
    over = all(system.reservations[row.reservation].made < system.time for row in rows)
    yield ("not_executed" if over or not rules.absence_only_after_expiry else "unknown"), -1


def _of_refund(system: System, rules: Rules, buyer: int, rows: tuple[Row, ...]) -> Iterator[tuple[str, int]]:
    seen = rows[-1].seen
    new = [number for number in range(len(system.refunds)) if number not in seen]
    others = {one.result for number, one in enumerate(system.operations) if number != buyer}
    claimed = rules.movement_proves_one and bool(set(new) & others)
    if len(new) == 1 and not claimed:
        yield "succeeded", new[0]
    else:
        yield "unknown", -1
