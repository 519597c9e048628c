"""The database under the journal, and under all else that is stored: vouchers of our own, moves, snapshots."""

from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.errors import database_errors
from voucher_gateway.storage.locks import Locks
from voucher_gateway.storage.schema_upgrade import JOURNAL, Schema, run_scripts
from voucher_gateway.storage.statement import Statement, execute

__all__ = ["JOURNAL", "Database", "Locks", "Schema", "Statement", "database_errors", "execute", "run_scripts"]
