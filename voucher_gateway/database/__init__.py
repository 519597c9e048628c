"""The database under the journal, and under providers that store vouchers themselves."""

from voucher_gateway.database.engine import Database
from voucher_gateway.database.locks import Locks

__all__ = ["Database", "Locks"]
