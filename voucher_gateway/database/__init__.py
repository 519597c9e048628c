"""The database under the journal, and under all else that is stored: vouchers of our own, moves, snapshots."""

from voucher_gateway.database.engine import Database
from voucher_gateway.database.errors import database_errors
from voucher_gateway.database.locks import Locks
from voucher_gateway.database.migrate import JOURNAL, Schema, run_scripts
from voucher_gateway.database.statement import Statement, execute

__all__ = ["JOURNAL", "Database", "Locks", "Schema", "Statement", "database_errors", "execute", "run_scripts"]
