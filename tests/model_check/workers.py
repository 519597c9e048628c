"""What workers, the network, the vendor and time do."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model_check.callers import Step, put
from tests.model_check.rules import Rules
from tests.model_check.system import Charge, Operation, Request, Reservation, Row, System, Worker

LAST_MOMENT = 2
MOST_LOSSES = 1


def workers(system: System, rules: Rules) -> Iterator[Step]:
    """Yield all that a worker can do next, those included that lost their lock and go on all the same."""
    for buyer, operation in enumerate(system.operations):
        for number, worker in enumerate(operation.workers):
            others = operation.workers[:number] + operation.workers[number + 1 :]
            alone = operation._replace(workers=others)
            for what, after in _work(system, rules, buyer, alone, worker):
                yield f"worker {buyer}.{worker.attempt} {what}", after
            if worker.locked and operation.losses < MOST_LOSSES:
                lost = alone._replace(workers=(*others, worker._replace(locked=False)), losses=operation.losses + 1)
                yield f"worker {buyer}.{worker.attempt} dies or freezes", put(system, buyer, lost)


def _work(system: System, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Iterator[Step]:
    if worker.at == "wait":
        yield "waits until its time is over", _on(system, buyer, alone, worker, at="record", heard="unknown")
    elif rules.epoch_fencing and worker.epoch != alone.epoch:
        yield "finds its operation taken over", put(system, buyer, alone)
    elif worker.at == "reserve":
        yield _reserve(system, rules, buyer, alone, worker)
    elif worker.at == "look":
        seen = frozenset(range(len(system.refunds))) if rules.refunds_seen_noted else frozenset()
        yield "notes the refunds that are there", _on(system, buyer, alone, worker, at="send", seen=seen)
    elif worker.at == "send":
        yield _send(system, rules, buyer, alone, worker)
    else:
        yield _record(system, rules, buyer, alone, worker)


def _on(system: System, buyer: int, alone: Operation, worker: Worker, **more: object) -> System:
    after = worker._replace(**more)  # type: ignore[arg-type]  # fields of a worker by name
    return put(system, buyer, alone._replace(workers=(*alone.workers, after)))


def _name(rules: Rules, buyer: int, worker: Worker) -> str:
    return f"{buyer}.{worker.attempt}" if rules.own_wire_reference else "order"


def _reserve(system: System, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Step:
    standing = [number for number in range(len(system.reservations)) if system.standing(number)]
    anothers = [number for number in standing if system.reservations[number].buyer != buyer]
    if anothers and rules.holds_respected:
        return "finds the voucher held", put(system, buyer, alone._replace(state="not_executed"))
    ended = tuple(
        one._replace(state="ended") if number in standing else one for number, one in enumerate(system.reservations)
    )
    made = system._replace(
        reservations=(*ended, Reservation(buyer, system.time)), ended_anothers=system.ended_anothers or bool(anothers)
    )
    return "reserves", _on(made, buyer, alone, worker, at="send", reservation=len(ended))


def _send(system: System, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Step:
    if alone.kind == "refund" and rules.one_open_refund and _rival(system, buyer):
        return "finds another refund unsettled", put(system, buyer, alone._replace(state="not_executed"))
    if rules.row_before_request:
        alone = alone._replace(rows=(*alone.rows, _row(rules, buyer, worker)))
    request = Request(buyer, worker.attempt, _name(rules, buyer, worker), worker.reservation)
    sent = system._replace(under_way=system.under_way | {request})
    return "writes its row and sends", _on(sent, buyer, alone, worker, at="wait")


def _rival(system: System, buyer: int) -> bool:
    return any(number != buyer and one.rows for number, one in enumerate(system.operations))


def _row(rules: Rules, buyer: int, worker: Worker) -> Row:
    return Row(_name(rules, buyer, worker), worker.reservation, worker.seen)


def _record(system: System, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Step:
    """Write down what was heard."""
    state = {"done": "succeeded", "refused": "not_executed", "unknown": "unknown"}[worker.heard]
    rows: tuple[Row, ...] = ()
    if state == "unknown":
        rows = alone.rows if rules.row_before_request else (_row(rules, buyer, worker),)
    return f"writes {state}", put(system, buyer, alone._replace(rows=rows, state=state, result=worker.made))


def surroundings(system: System, rules: Rules) -> Iterator[Step]:
    """Yield the arrival of each request that is under way, and the passing of time."""
    for request in system.under_way:
        arrived = system._replace(under_way=system.under_way - {request})
        yield f"the request of {request.buyer}.{request.attempt} arrives", _served(arrived, rules, request)
    if system.time < LAST_MOMENT:
        yield "reservations lapse", system._replace(time=system.time + 1)


def _served(system: System, rules: Rules, request: Request) -> System:
    if system.operations[request.buyer].kind == "refund":
        done = system._replace(refunds=(*system.refunds, request.buyer))
        return _heard(done, request, "done", len(system.refunds))
    taken = request.reservation
    if not rules.capture_names_reservation:
        taken = next((number for number in range(len(system.reservations)) if system.standing(number)), taken)
    if not system.standing(taken):
        return _heard(system, request, "refused", -1)
    captured = system.reservations[taken]._replace(state="captured")
    done = system._replace(
        reservations=(*system.reservations[:taken], captured, *system.reservations[taken + 1 :]),
        charges=(*system.charges, Charge(request.buyer, request.reference, taken)),
    )
    return _heard(done, request, "done", len(system.charges))


def _heard(system: System, request: Request, what: str, made: int) -> System:
    """Return the system after the answer, if the worker still waits for it."""
    operation = system.operations[request.buyer]
    told = tuple(
        worker._replace(at="record", heard=what, made=made)
        if worker.at == "wait" and worker.attempt == request.attempt
        else worker
        for worker in operation.workers
    )
    return put(system, request.buyer, operation._replace(workers=told))
