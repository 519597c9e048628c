"""Providers whose `resolve` reads too little, or takes another call for the one that it looks for."""

from __future__ import annotations

import attrs

from tests.testing.spending.registry import breaks
from voucher_gateway.provider_api import Code, Effect, History, Intent, Movement, Operation, Outcome, TopUp
from voucher_gateway_jtl import JtlProvider

PAGE = 100


class LooksUpWithoutTheFilter(JtlProvider):
    """Looks through the history in place of the vendor's filter, which is right as long as it reads all of it."""

    def movements_of(self, id: str, reference: str) -> History:
        whole = self.history(id)
        return attrs.evolve(whole, movements=tuple(self.page_read(list(whole), reference)))

    def page_read(self, movements: list[Movement], reference: str) -> list[Movement]:
        return movements


@breaks("U7")
class LooksUpTheFirstPageOnly(LooksUpWithoutTheFilter):
    def page_read(self, movements: list[Movement], reference: str) -> list[Movement]:
        return movements[:PAGE]


@breaks("U7")
class LooksUpTheLatestPageOnly(LooksUpWithoutTheFilter):
    def page_read(self, movements: list[Movement], reference: str) -> list[Movement]:
        return movements[-PAGE:]


@breaks("U4")
class MatchesByPrefix(LooksUpWithoutTheFilter):
    def page_read(self, movements: list[Movement], reference: str) -> list[Movement]:
        similar = [movement for movement in movements if (movement.reference or "").startswith(reference)]
        return [attrs.evolve(movement, reference=reference) for movement in similar]


@breaks("U4")
class MatchesAReferenceThatWasCut(LooksUpWithoutTheFilter):
    def page_read(self, movements: list[Movement], reference: str) -> list[Movement]:
        similar = [
            movement for movement in movements if movement.reference and reference.startswith(movement.reference)
        ]
        return [attrs.evolve(movement, reference=reference) for movement in similar]


@breaks("U4")
class MatchesWithoutRegardToCase(LooksUpWithoutTheFilter):
    def page_read(self, movements: list[Movement], reference: str) -> list[Movement]:
        similar = [movement for movement in movements if (movement.reference or "").casefold() == reference.casefold()]
        return [attrs.evolve(movement, reference=reference) for movement in similar]


@breaks("U7")
class ResultsInAMovementOfTheSameAmount(JtlProvider):
    def resolve(self, intent: Intent, code: Code | None = None) -> Outcome:
        outcome = super().resolve(intent, code)
        if intent.verb != Operation.TOP_UP or outcome.effect is not Effect.SUCCEEDED:
            return outcome
        assert isinstance(outcome.result, TopUp)
        assert intent.voucher_id is not None
        similar = next(one for one in self.history(intent.voucher_id) if one.money == intent.money)
        return attrs.evolve(outcome, result=attrs.evolve(outcome.result, id=str(similar.id)))
