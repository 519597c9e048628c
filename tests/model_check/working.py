"""What workers, the network, the vendor and time do."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model_check.calling import Step, put
from tests.model_check.rules import Rules
from tests.model_check.world import Charge, Operation, Request, Reservation, Row, Worker, World

LAST_MOMENT = 2
MOST_LOSSES = 1


def workers(world: World, rules: Rules) -> Iterator[Step]:
    """Yield all that a worker can do next, those included that lost their lock and go on all the same."""
    for buyer, operation in enumerate(world.operations):
        for number, worker in enumerate(operation.workers):
            others = operation.workers[:number] + operation.workers[number + 1 :]
            alone = operation._replace(workers=others)
            for what, after in _work(world, rules, buyer, alone, worker):
                yield f"worker {buyer}.{worker.attempt} {what}", after
            if worker.locked and operation.losses < MOST_LOSSES:
                lost = alone._replace(workers=(*others, worker._replace(locked=False)), losses=operation.losses + 1)
                yield f"worker {buyer}.{worker.attempt} dies or freezes", put(world, buyer, lost)


def _work(world: World, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Iterator[Step]:
    if worker.at == "wait":
        yield "waits in vain", _on(world, buyer, alone, worker, at="record", heard="unknown")
    elif rules.epoch_fencing and worker.epoch != alone.epoch:
        yield "finds its operation taken over", put(world, buyer, alone)
    elif worker.at == "reserve":
        yield _reserve(world, rules, buyer, alone, worker)
    elif worker.at == "look":
        seen = frozenset(range(len(world.refunds))) if rules.refunds_seen_noted else frozenset()
        yield "notes the refunds that are there", _on(world, buyer, alone, worker, at="send", seen=seen)
    elif worker.at == "send":
        yield _send(world, rules, buyer, alone, worker)
    else:
        yield _record(world, rules, buyer, alone, worker)


def _on(world: World, buyer: int, alone: Operation, worker: Worker, **more: object) -> World:
    after = worker._replace(**more)  # type: ignore[arg-type]  # fields of a worker by name
    return put(world, buyer, alone._replace(workers=(*alone.workers, after)))


def _name(rules: Rules, buyer: int, worker: Worker) -> str:
    return f"{buyer}.{worker.attempt}" if rules.own_wire_reference else "order"


def _reserve(world: World, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Step:
    standing = [number for number in range(len(world.reservations)) if world.standing(number)]
    anothers = [number for number in standing if world.reservations[number].buyer != buyer]
    if anothers and rules.holds_respected:
        return "finds the voucher held", put(world, buyer, alone._replace(state="not_executed"))
    ended = tuple(
        one._replace(state="ended") if number in standing else one for number, one in enumerate(world.reservations)
    )
    made = world._replace(
        reservations=(*ended, Reservation(buyer, world.time)), ended_anothers=world.ended_anothers or bool(anothers)
    )
    return "reserves", _on(made, buyer, alone, worker, at="send", reservation=len(ended))


def _send(world: World, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Step:
    if alone.kind == "refund" and rules.one_open_refund and _rival(world, buyer):
        return "finds another refund unsettled", put(world, buyer, alone._replace(state="not_executed"))
    if rules.row_before_request:
        alone = alone._replace(rows=(*alone.rows, _row(rules, buyer, worker)))
    request = Request(buyer, worker.attempt, _name(rules, buyer, worker), worker.reservation)
    sent = world._replace(under_way=world.under_way | {request})
    return "writes its row and sends", _on(sent, buyer, alone, worker, at="wait")


def _rival(world: World, buyer: int) -> bool:
    return any(number != buyer and one.rows for number, one in enumerate(world.operations))


def _row(rules: Rules, buyer: int, worker: Worker) -> Row:
    return Row(_name(rules, buyer, worker), worker.reservation, worker.seen)


def _record(world: World, rules: Rules, buyer: int, alone: Operation, worker: Worker) -> Step:
    """Write down what was heard."""
    state = {"done": "succeeded", "refused": "not_executed", "unknown": "unknown"}[worker.heard]
    rows: tuple[Row, ...] = ()
    if state == "unknown":
        rows = alone.rows if rules.row_before_request else (_row(rules, buyer, worker),)
    return f"writes {state}", put(world, buyer, alone._replace(rows=rows, state=state, result=worker.made))


def surroundings(world: World, rules: Rules) -> Iterator[Step]:
    """Yield the arrival of each request that is under way, and the passing of time."""
    for request in world.under_way:
        arrived = world._replace(under_way=world.under_way - {request})
        yield f"the request of {request.buyer}.{request.attempt} arrives", _served(arrived, rules, request)
    if world.time < LAST_MOMENT:
        yield "reservations lapse", world._replace(time=world.time + 1)


def _served(world: World, rules: Rules, request: Request) -> World:
    if world.operations[request.buyer].kind == "refund":
        done = world._replace(refunds=(*world.refunds, request.buyer))
        return _heard(done, request, "done", len(world.refunds))
    taken = request.reservation
    if not rules.capture_names_reservation:
        taken = next((number for number in range(len(world.reservations)) if world.standing(number)), taken)
    if not world.standing(taken):
        return _heard(world, request, "refused", -1)
    captured = world.reservations[taken]._replace(state="captured")
    done = world._replace(
        reservations=(*world.reservations[:taken], captured, *world.reservations[taken + 1 :]),
        charges=(*world.charges, Charge(request.buyer, request.reference, taken)),
    )
    return _heard(done, request, "done", len(world.charges))


def _heard(world: World, request: Request, what: str, made: int) -> World:
    """Return the world after the answer, if the worker still waits for it."""
    operation = world.operations[request.buyer]
    told = tuple(
        worker._replace(at="record", heard=what, made=made)
        if worker.at == "wait" and worker.attempt == request.attempt
        else worker
        for worker in operation.workers
    )
    return put(world, request.buyer, operation._replace(workers=told))
