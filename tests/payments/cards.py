"""A card in memory that is idempotent by key, with its books and faults."""

from __future__ import annotations

import attrs

from voucher_gateway import Authorization, Declined, Money


@attrs.define
class FakeCard:
    """Implements `OtherMeans`.

    Attributes:
        faults: by operation, the errors of its next calls; a pair (error, True) is raised after the call was done.
        calls: every call as ``operation key``.
        authorized: the standing authorizations by key.
        captured: what was captured, by key of its authorization.
        refunded: what was given back, by key.
        barred: keys of authorizations that must not arrive any more.
    """

    faults: dict[str, list[tuple[Exception | None, bool]]] = attrs.field(factory=dict)
    calls: list[str] = attrs.field(factory=list)
    authorized: dict[str, Money] = attrs.field(factory=dict)
    captured: dict[str, Money] = attrs.field(factory=dict)
    refunded: dict[str, Money] = attrs.field(factory=dict)
    barred: set[str] = attrs.field(factory=set)

    def arm(self, operation: str, error: Exception, *, after: bool = False) -> None:
        self.faults.setdefault(operation, []).append((error, after))

    @property
    def kept(self) -> str:
        """What it took and did not give back."""
        taken = sum((money.amount for money in self.captured.values()), Money(0, "EUR").amount)
        return str(taken - sum((money.amount for money in self.refunded.values()), Money(0, "EUR").amount))

    def authorize(self, money: Money, key: str) -> str | None:
        def do() -> None:
            if key in self.barred:
                raise Declined("voided")
            if key not in self.captured:
                self.authorized[key] = money

        self._call("authorize", key, do)
        return f"auth-{key}"

    def capture(self, money: Money, key: str, authorization: Authorization) -> None:
        def do() -> None:
            if authorization.key in self.captured:
                return
            if self.authorized.get(authorization.key) != money:
                raise Declined("no such authorization")
            self.captured[authorization.key] = self.authorized.pop(authorization.key)

        self._call("capture", key, do)

    def void(self, money: Money, key: str, authorization: Authorization) -> None:
        def do() -> None:
            self.barred.add(authorization.key)
            if self.authorized.pop(authorization.key, None) is None:
                raise Declined("nothing to void")

        self._call("void", key, do)

    def refund(self, money: Money, key: str, authorization: Authorization) -> None:
        def do() -> None:
            self.refunded[key] = money

        self._call("refund", key, do)

    def _call(self, operation: str, key: str, do: object) -> None:
        assert callable(do)
        self.calls.append(f"{operation} {key.partition('-')[2]}")
        waiting = self.faults.get(operation, [])
        error, after = waiting.pop(0) if waiting else (None, False)
        if error is not None and not after:
            raise error
        do()
        if error is not None:
            raise error
