"""Run inside the environment of pretix: make organizers, teams and tokens, or let it forget old keys.

`pretix_program.py` starts it as a subprocess with the name of a step, JSON at its standard input and, for the tokens,
JSON at its output. It is the only code here that runs in the same process as pretix.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any


def make_organizers(order: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Make organizers, each with teams and their tokens, and let them accept the cards of others.

    Returns:
        the tokens by organizer and team.
    """
    model = import_module("django.apps").apps.get_model
    with import_module("django_scopes").scopes_disabled():
        slugs = order["organizers"]
        organizers = {slug: model("pretixbase", "Organizer").objects.create(name=slug, slug=slug) for slug in slugs}
        tokens: dict[str, dict[str, str]] = {}
        for slug, organizer in organizers.items():
            for name, rights in order["teams"].items():
                team = model("pretixbase", "Team").objects.create(
                    organizer=organizer, name=name, limit_organizer_permissions=dict.fromkeys(rights, True)
                )
                token = model("pretixbase", "TeamAPIToken").objects.create(team=team, name=name)
                tokens.setdefault(slug, {})[name] = token.token
        for issuer, acceptor in order["accepted"]:
            model("pretixbase", "GiftCardAcceptance").objects.create(
                issuer=organizers[issuer], acceptor=organizers[acceptor]
            )
    return tokens


def forget_old_keys() -> None:
    """Do what the program does every 12 hours."""
    import_module("pretix.api.signals").cleanup_api_logs(sender=None)


if __name__ == "__main__":
    order = json.load(sys.stdin)
    import_module("django").setup()
    if sys.argv[1] == "make-organizers":
        json.dump(make_organizers(order), sys.stdout)
    else:
        forget_old_keys()
