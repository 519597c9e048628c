"""The whole contract, as one class to derive from."""

from __future__ import annotations

from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.contracts.crash import CrashContract
from voucher_gateway.testing.contracts.effects.connections import ConnectionsContract
from voucher_gateway.testing.contracts.effects.keys import KeysContract
from voucher_gateway.testing.contracts.effects.records import RecordsContract
from voucher_gateway.testing.contracts.effects.references import ReferencesContract
from voucher_gateway.testing.contracts.effects.resolution import ResolutionContract
from voucher_gateway.testing.contracts.payments.redemptions import RedemptionsContract
from voucher_gateway.testing.contracts.payments.refunds import RefundsContract
from voucher_gateway.testing.contracts.payments.reservations import ReservationsContract
from voucher_gateway.testing.contracts.read_level.amounts import AmountsContract
from voucher_gateway.testing.contracts.read_level.availability import AvailabilityContract
from voucher_gateway.testing.contracts.read_level.capabilities import CapabilitiesContract
from voucher_gateway.testing.contracts.read_level.concurrency import ConcurrencyContract
from voucher_gateway.testing.contracts.read_level.listing import ListingContract
from voucher_gateway.testing.contracts.read_level.lookups import LookupsContract
from voucher_gateway.testing.contracts.read_level.malformed_replies import MalformedRepliesContract
from voucher_gateway.testing.contracts.read_level.secrecy import SecrecyContract
from voucher_gateway.testing.contracts.read_level.timestamps import TimestampsContract
from voucher_gateway.testing.contracts.vouchers.changes import ChangesContract
from voucher_gateway.testing.contracts.vouchers.issue import IssueContract


class ProviderContract(
    LookupsContract,
    AvailabilityContract,
    ConcurrencyContract,
    SecrecyContract,
    MalformedRepliesContract,
    TimestampsContract,
    AmountsContract,
    ListingContract,
    CapabilitiesContract,
    IssueContract,
    ChangesContract,
    ReservationsContract,
    RedemptionsContract,
    RefundsContract,
    ReferencesContract,
    ConnectionsContract,
    ResolutionContract,
    KeysContract,
    RecordsContract,
    CrashContract,
    Contract,
):
    """Every promise of the contract, to be derived from in a test module.

    ::

        class TestMyVendor(ProviderContract):
            provider = MyProvider
            simulator = MySimulator
            level = Level.READ

    pytest then collects the promises of that level which apply to what the provider declares.
    """
