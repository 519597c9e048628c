"""What the workers on a payment, the network, the vendors and the card processor do."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model_check.payment_rules import PaymentRules
from tests.model_check.payment_system import CARD, Payment, Request, Worker

MOST_WORKERS = 3
MOST_LOSSES = 1
PaymentStep = tuple[str, Payment]

_GOALS = {
    "open": ("authorize", "cancel"),
    "authorized": ("capture", "cancel"),
    "capturing": ("capture", "cancel"),
    "captured": ("cancel",),
    "short": ("cancel",),
    "cancelling": ("cancel",),
}
_TARGET_STATES = {"capture": "capturing", "cancel": "cancelling"}
_LEG_REQUESTS = ("take", "give")


def payment_steps(payment: Payment, rules: PaymentRules) -> Iterator[PaymentStep]:
    """Yield all that can happen next."""
    yield from _callers(payment, rules)
    for number, worker in enumerate(payment.workers):
        others = payment.workers[:number] + payment.workers[number + 1 :]
        alone = payment._replace(workers=others)
        what, after = _work(alone, rules, worker)
        yield f"worker {worker.epoch} {what}", after
        if worker.locked and payment.losses < MOST_LOSSES:
            lost = alone._replace(workers=(*others, worker._replace(locked=False)), losses=payment.losses + 1)
            yield f"worker {worker.epoch} dies or freezes", lost
    for request in payment.under_way:
        arrived = payment._replace(under_way=payment.under_way - {request})
        yield f"the {request.kind} of {request.target} is lost", arrived
        yield f"the {request.kind} of {request.target} arrives", _serve(arrived, rules, request)
    if payment.leg(2).free and not payment.leg(2).taken:
        yield "voucher 2 is spent elsewhere", payment.with_leg(2, free=False)


def _callers(payment: Payment, rules: PaymentRules) -> Iterator[PaymentStep]:
    if any(worker.locked for worker in payment.workers) or payment.epoch >= MOST_WORKERS:
        return
    goals = _GOALS.get(payment.state, ())
    if not rules.one_decision and payment.state in ("cancelling", "cancelled"):
        goals = (*goals, "capture")
    for goal in goals:
        state = _TARGET_STATES.get(goal, payment.state)
        if goal == "capture" and not rules.decision_first:
            state = payment.state
        epoch = payment.epoch + 1
        workers = (*payment.workers, Worker(goal, epoch))
        yield f"worker {epoch} begins to {goal}", payment._replace(state=state, epoch=epoch, workers=workers)


def _on(alone: Payment, worker: Worker, **changes: object) -> Payment:
    after = worker._replace(**changes)  # type: ignore[arg-type]  # fields of a worker by name
    return alone._replace(workers=(*alone.workers, after))


def _work(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    is_replaced = worker.epoch != alone.epoch
    if worker.at == "choose":
        if is_replaced and rules.commit_fence:
            return "finds that it was replaced", alone
        return _choose(alone, rules, worker)
    if worker.at == "send":
        if is_replaced and rules.request_fence:
            return "is kept from sending", alone
        return _send(alone, rules, worker)
    if worker.at == "wait":
        return "waits until its time is over", _on(alone, worker, at="hear", heard="unknown")
    return _hear(alone, rules, worker)


# --- what is next ---


def _choose(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    choose = {"authorize": _authorize, "capture": _capture, "cancel": _cancel}[worker.goal]
    return choose(alone, rules, worker)


def _authorize(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    leg = alone.leg(2)
    if leg.state == "planned" and (rules.card_authorized_last or alone.card.state == "authorized"):
        if not leg.free:
            return "finds that leg 2 cannot be had", alone
        return "finds that leg 2 can be had", _on(alone.with_leg(2, state="standing"), worker)
    if alone.card.state in ("none", "authorizing") and CARD not in worker.doubts:
        return "asks the card", _ask(alone.with_card(state="authorizing"), rules, worker, "authorize", CARD)
    if alone.card.state == "authorized":
        return "commits that all is authorized", alone._replace(state="authorized")
    return "leaves", alone


def _capture(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    if not rules.card_captured_last and alone.card.state in ("authorized", "capturing") and CARD not in worker.doubts:
        return "takes the card", _ask(alone.with_card(state="capturing"), rules, worker, "capture", CARD)
    if rules.loss_stops and any(leg.state == "lost" for leg in alone.legs):
        return "leaves", alone
    for number in (2, 1) if rules.unheld_first else (1, 2):
        if alone.leg(number).state in ("standing", "capturing") and number not in worker.doubts:
            begun = alone.with_leg(number, state="capturing")
            return f"takes leg {number}", _ask(begun, rules, worker, "take", number)
    if worker.doubts:
        return "leaves", alone
    if alone.card.state in ("authorized", "capturing"):
        return "takes the card", _ask(alone.with_card(state="capturing"), rules, worker, "capture", CARD)
    if alone.card.state == "captured" and all(leg.state == "captured" for leg in alone.legs):
        return "commits that all is captured", alone._replace(state="captured")
    return "leaves", alone


def _cancel(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    for number in (1, 2):
        leg = alone.leg(number)
        if leg.state == "ended" or number in worker.doubts:
            continue
        settled = _settle(alone, number, "take")
        if settled == "unknown" and rules.settle_before_release:
            return f"does not know of leg {number}", _on(alone, worker, doubts=worker.doubts | {number})
        if settled == "done":
            return f"gives leg {number} back", _ask(alone.with_leg(number, take="done"), rules, worker, "give", number)
        ended = alone.with_leg(number, state="ended", free=leg.free and not leg.holdable)
        return f"releases leg {number}", _on(ended, worker)
    if CARD not in worker.doubts and alone.card.state not in ("none", "voided", "returned"):
        return _cancel_card(alone, rules, worker)
    if worker.doubts:
        return "leaves", alone
    return "commits that all is cancelled", alone._replace(state="cancelled")


def _cancel_card(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    state = alone.card.state
    if state == "capturing" and rules.learn_before_void:
        return "repeats the capture of the card", _ask(alone, rules, worker, "capture", CARD)
    if state in ("captured", "returning"):
        return "refunds the card", _ask(alone.with_card(state="returning"), rules, worker, "refund", CARD)
    if state == "authorizing" and not rules.void_in_doubt:
        return "forgets the card", _on(alone.with_card(state="voided"), worker)
    return "voids the card", _ask(alone.with_card(state="voiding"), rules, worker, "void", CARD)


def _ask(alone: Payment, rules: PaymentRules, worker: Worker, kind: str, target: int) -> Payment:
    is_shared = rules.same_card_key if target == CARD else False
    request = Request(kind, target, 0 if is_shared else worker.epoch)
    return _on(alone, worker, at="send", request=request)


def _settle(payment: Payment, number: int, kind: str) -> str:
    """Return what a look at the vendor tells of a leg's operation: "", ``unknown``, ``done`` or ``refused``."""
    leg = payment.leg(number)
    recorded = leg.take if kind == "take" else leg.give
    if recorded != "sent":
        return recorded
    if leg.taken if kind == "take" else leg.given:
        return "done"
    return "unknown" if payment.is_under_way(kind, number) else ""


# --- requests and answers ---


def _send(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    request = worker.request
    assert request is not None
    if request.kind in _LEG_REQUESTS and rules.same_reference:
        settled = _settle(alone, request.target, request.kind)
        if settled in ("unknown", "done"):
            return f"finds its {request.kind} of {request.target} {settled}", _on(
                alone, worker, at="hear", heard=settled
            )
    sent = alone._replace(under_way=alone.under_way | {request})
    if request.kind in _LEG_REQUESTS and rules.row_before_request:
        sent = sent.with_leg(request.target, **{request.kind: "sent"})
    if request == Request("take", 1, request.key) and alone.leg(2).state == "standing":
        sent = sent._replace(taken_early=True)
    return f"sends the {request.kind} of {request.target}", _on(sent, worker, at="wait")


def _hear(alone: Payment, rules: PaymentRules, worker: Worker) -> PaymentStep:
    """Record an answer in the journal, and then commit it."""
    request, heard = worker.request, worker.heard
    assert request is not None
    if heard == "unknown" and request.kind == "take" and not rules.doubt_is_not_refusal:
        heard = "refused"
    if request.kind in _LEG_REQUESTS and heard != "unknown":
        alone = alone.with_leg(request.target, **{request.kind: heard})
    if worker.epoch != alone.epoch and rules.commit_fence:
        return "finds that it was replaced", alone
    if heard == "unknown":
        doubtful = _on(alone, worker, at="choose", request=None, heard="", doubts=worker.doubts | {request.target})
        return f"does not know of its {request.kind} of {request.target}", doubtful
    committed = _commit(alone, request, heard)
    what = f"commits that the {request.kind} of {request.target} is {heard}"
    return what, _on(committed, worker, at="choose", request=None, heard="")


def _commit(alone: Payment, request: Request, heard: str) -> Payment:
    is_done = heard == "done"
    if request.kind == "take":
        changed = alone.with_leg(request.target, state="captured" if is_done else "lost")
        return changed if is_done or alone.state != "capturing" else changed._replace(state="short")
    if request.kind == "give":
        return alone.with_leg(request.target, state="ended")
    states = {
        "authorize": ("authorized", "none"),
        "capture": ("captured", "lost"),
        "void": ("voided", "voided"),
        "refund": ("returned", "returning"),
    }
    changed = alone.with_card(state=states[request.kind][0 if is_done else 1])
    is_short = request.kind == "capture" and not is_done and alone.state == "capturing"
    return changed._replace(state="short") if is_short else changed


# --- the vendors and the processor ---


def _serve(payment: Payment, rules: PaymentRules, request: Request) -> Payment:
    served, is_done = _serve_leg(payment, request) if request.target else _serve_card(payment, rules, request)
    told = tuple(
        worker._replace(at="hear", heard="done" if is_done else "refused")
        if worker.at == "wait" and worker.request == request
        else worker
        for worker in served.workers
    )
    return served._replace(workers=told)


def _serve_leg(payment: Payment, request: Request) -> tuple[Payment, bool]:
    leg = payment.leg(request.target)
    if request.kind == "give":
        return payment.with_leg(request.target, given=leg.given + 1), True
    if not leg.free:
        return payment, False
    return payment.with_leg(request.target, taken=leg.taken + 1, free=not leg.holdable), True


def _serve_card(payment: Payment, rules: PaymentRules, request: Request) -> tuple[Payment, bool]:
    card = payment.card
    key = (request.kind, request.key)
    if request.kind == "void":
        if card.captured:
            return payment, False
        return payment.with_card(hold="void" if card.hold or rules.void_blocks_late else ""), True
    if key in card.keys:
        return payment, True
    known = card.keys | {key}
    if request.kind == "authorize":
        return (payment, False) if card.hold == "void" else (payment.with_card(hold="live", keys=known), True)
    if request.kind == "refund":
        return payment.with_card(refunded=card.refunded + 1, keys=known), True
    if card.hold != "live":
        return payment, False
    return payment.with_card(captured=card.captured + 1, keys=known), True
