"""Lets a real sample of moved vouchers stand for a million: copies of its rows under other numbers, by SQL alone.

The sample is the first vouchers of a plan. A copy has the rows that a run would have written for the same vouchers of
later numbers: their states, their operations with requests and events, and where they went. Ids, references and results
name the voucher of the copy, so that a verification finds it at both vendors, and all seals of where vouchers went are
true. Not true are the fingerprints of codes in operations, which nothing here looks for, and the digests of events,
which are those of the original: an audit would reject them.

The indexes of the journal are dropped while the copies are written and then built again: their order on the disk is
that of a journal that was compacted. In PostgreSQL the tables are vacuumed, as the server does it itself in time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from tests.benchmarks.growth.estate import FIRST, gets_new_code, is_carried, new_target_id
from voucher_gateway.instants import format_micros
from voucher_gateway.journal import schema
from voucher_gateway.journal.events.append import CHAIN_COUNT
from voucher_gateway.journal.events.digests import chain_mac, count_mac
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.moves import claim_moves, complete_moves, move_reference
from voucher_gateway.migration.schema import RowState, vouchers

_BETWEEN_COPIES: Final = timedelta(seconds=5)
_COPIES_AT_ONCE: Final = 40
_VOUCHERS_AT_ONCE: Final = 500
_TIME_DIGITS: Final = 12
_FINGERPRINT_DIGITS: Final = 52

_TABLES: Final = (schema.operations, schema.requests, schema.events)
_OWNER: Final = {schema.operations.name: "id", schema.requests.name: "operation_id", schema.events.name: "subject"}
"""The column of each table that has the id of an operation."""
_WITH_NAMES: Final = frozenset(
    {"reference", "voucher_id", "target", "wire_reference", "vendor_key", "result", "intent", "data"}
)
_INSTANTS: Final = frozenset({"created_at", "updated_at", "sent_at", "finished_at", "at"})

_names: Final = sa.Table(
    "growth_names",
    sa.MetaData(),
    sa.Column("operation_id", sa.String(32), primary_key=True),
    sa.Column("sample_number", sa.Integer, nullable=False),
    sa.Column("new_count", sa.Integer),
)
_copies: Final = sa.Table(
    "growth_copies",
    sa.MetaData(),
    sa.Column("copy", sa.Integer, primary_key=True),
    sa.Column("time", sa.String(_TIME_DIGITS), nullable=False),
    sa.Column("moment", sa.String(32), nullable=False),
)


@attrs.frozen(kw_only=True)
class Sample:
    """The vouchers that a run has really moved.

    Attributes:
        plan_id: the hash of the plan.
        source: the account of the source.
        target: the account of the target.
        size: how many vouchers of the plan they are, with those that stay.
    """

    plan_id: str
    source: str
    target: str
    size: int


def multiply_moves(engine: Engine, keys: JournalKeys, sample: Sample, count: int) -> None:
    """Write that the vouchers of the plan after the sample have moved, too.

    Args:
        engine: of the journal's database. Nothing else uses it now.
        keys: the journal's.
        sample: what was really moved.
        count: how many times its vouchers are copied.
    """
    indexes = [index for table in _TABLES for index in table.indexes]
    with engine.begin() as connection:
        in_sample = _keep_originals(connection, sample)
        chain = 1 + (connection.scalar(sa.select(sa.func.max(schema.chains.c.id))) or 0)
        for index in indexes:
            index.drop(connection)
        connection.execute(sa.insert(_copies), [_copy_row(copy, count) for copy in range(1, count + 1)])
    for begin in range(1, count + 1, _COPIES_AT_ONCE):
        for table in _TABLES:
            with engine.begin() as connection:
                values = {"begin": begin, "end": begin + _COPIES_AT_ONCE, "in_sample": in_sample}
                connection.execute(_insert_copies(table, sample.size, chain), values)
    with engine.begin() as connection:
        for index in indexes:
            index.create(connection)
        _insert_chain(connection, keys, chain, count * in_sample)
    _write_states(engine, sample, count)
    _write_places(engine, keys, sample, count)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))


# --- operations, requests and events ---


def _keep_originals(connection: Connection, sample: Sample) -> int:
    """Copy the rows of the sample into tables of their own, and return the number of its events."""
    _names.create(connection)
    _copies.create(connection)
    connection.execute(sa.insert(_names), list(_named_operations(connection, sample)))
    for table in _TABLES:
        owner = table.c[_OWNER[table.name]]
        place = sa.func.row_number().over(order_by=table.c.id).label("place")
        query = sa.select(table, _names.c.sample_number, _names.c.new_count, place).join(
            _names, _names.c.operation_id == owner
        )
        text = query.compile(dialect=connection.dialect)
        connection.execute(sa.text(f"CREATE TABLE {_original_name(table)} AS {text}"))
    return connection.scalar(sa.text(f"SELECT count(*) FROM {_original_name(schema.events)}")) or 0


def _named_operations(connection: Connection, sample: Sample) -> list[dict[str, Any]]:
    """Return the operations of the sample, each with the number of its voucher."""
    prefix = move_reference(sample.plan_id, "")
    moved = sa.select(vouchers.c.number, vouchers.c.target_id).where(
        vouchers.c.plan_id == sample.plan_id, vouchers.c.state == RowState.MOVED.value
    )
    target_ids = {row.number: row.target_id for row in connection.execute(moved)}
    if set(target_ids) != set(filter(is_carried, range(1, sample.size + 1))):
        raise RuntimeError(f"{len(target_ids)} vouchers have moved, and not the sample of {sample.size}")
    operations = connection.execute(sa.select(schema.operations.c.id, schema.operations.c.reference))
    numbers = {id: int(reference.removeprefix(prefix).partition(".")[0]) for id, reference in operations}
    return [
        {
            "operation_id": id,
            "sample_number": number,
            "new_count": int(target_ids[number][1:]) - FIRST if gets_new_code(number) else None,
        }
        for id, number in numbers.items()
    ]


def _copy_row(copy: int, count: int) -> dict[str, object]:
    instant = datetime.now(UTC) - (count - copy) * _BETWEEN_COPIES - timedelta(minutes=1)
    return {
        "copy": copy,
        "time": f"{int(instant.timestamp() * 1000):0{_TIME_DIGITS}x}",
        "moment": format_micros(instant),
    }


def _original_name(table: sa.Table) -> str:
    return f"{table.name}_original"


def _original_of(table: sa.Table) -> Any:
    columns = [sa.column(column.name, column.type) for column in table.columns]
    own = [sa.column(name, sa.Integer) for name in ("sample_number", "new_count", "place")]
    return sa.table(_original_name(table), *columns, *own)


def _insert_copies(table: sa.Table, size: int, chain: int) -> sa.Insert:
    original = _original_of(table)
    columns = [column for column in table.columns if column.autoincrement is not True]
    values = [_copied_value(table, column.name, original, size, chain) for column in columns]
    is_wanted = (_copies.c.copy >= sa.bindparam("begin")) & (_copies.c.copy < sa.bindparam("end"))
    query = sa.select(*values).select_from(original.join(_copies, is_wanted)).order_by(_copies.c.copy, original.c.place)
    return sa.insert(table).from_select([column.name for column in columns], query)


def _copied_value(table: sa.Table, name: str, original: Any, size: int, chain: int) -> Any:
    value = original.c[name]
    if name == _OWNER[table.name]:
        return _copies.c.time.concat(sa.func.substr(value, _TIME_DIGITS + 1))
    if name == "chain":
        return sa.literal_column(str(chain))
    if name == "number":
        return (_copies.c.copy - 1) * sa.bindparam("in_sample", type_=sa.BigInteger) + original.c.place
    if name in _INSTANTS:
        return sa.case((value.is_(None), None), else_=_copies.c.moment)
    if name == "fingerprint":
        return sa.func.substr(value, 1, _FINGERPRINT_DIGITS).concat(".").concat(sa.cast(_copies.c.copy, sa.String))
    if name in _WITH_NAMES:
        return _renamed(value, original, size)
    return value


def _renamed(value: Any, original: Any, size: int) -> Any:
    """Return a text with the ids and the number of the copy in the place of those of the sample."""
    number = original.c.sample_number
    later = number + _copies.c.copy * size
    text = sa.func.replace(value, _id("V", number), _id("V", later))
    text = sa.func.replace(text, _in_reference(number), _in_reference(later))
    new_count = original.c.new_count
    later_count = new_count + _copies.c.copy * _new_codes_in(size)
    with_new_code = sa.func.replace(text, _id("x", new_count), _id("x", later_count))
    return sa.case((new_count.is_(None), text), else_=with_new_code)


def _id(letter: str, number: Any) -> Any:
    return sa.literal(letter).concat(sa.cast(number + FIRST, sa.String))


def _in_reference(number: Any) -> Any:
    return sa.literal("-").concat(sa.cast(number, sa.String)).concat(".0-")


def _new_codes_in(size: int) -> int:
    return sum(map(gets_new_code, range(1, size + 1)))


def _insert_chain(connection: Connection, keys: JournalKeys, number: int, length: int) -> None:
    """Insert the chain of the copied events."""
    chain: dict[str, Any] = {
        "id": number,
        "started_at": format_micros(datetime.now(UTC)),
        "first_number": 1,
        "first_digest": "",
        "length": length,
        "head": "",
        "key_id": keys.newest,
    }
    connection.execute(sa.insert(schema.chains), {**chain, "mac": chain_mac(keys, chain)})
    count = f"{number}:{keys.newest}:{count_mac(keys, number)}"
    connection.execute(sa.update(schema.facts).where(schema.facts.c.name == CHAIN_COUNT).values(value=count))


# --- the state of the plan, and where the vouchers went ---


def _write_states(engine: Engine, sample: Sample, count: int) -> None:
    """Write into the table of the plan what a run writes there."""
    of_plan = vouchers.c.plan_id == sample.plan_id
    last = sample.size * (count + 1)
    first_row = sa.select(vouchers.c.drift_s).where(of_plan, vouchers.c.number == next(filter(is_carried, range(3, 9))))
    with engine.begin() as connection:
        values = {
            "state": RowState.MOVED.value,
            "attempts": 1,
            "drift_s": connection.scalar(first_row),
            "updated_at": format_micros(datetime.now(UTC)),
            "target_id": sa.literal("tJTL-").concat(vouchers.c.source_id),
        }
        copied = vouchers.c.number.between(sample.size + 1, last)
        connection.execute(sa.update(vouchers).where(of_plan, copied).values(values))
        by_number = of_plan & (vouchers.c.number == sa.bindparam("of"))
        counts = dict(
            connection.execute(
                sa.select(_names.c.sample_number, _names.c.new_count).where(_names.c.new_count.is_not(None))
            ).all()
        )
        renamed = [
            {
                "of": number + copy * sample.size,
                "new_id": new_target_id(new_count + copy * len(counts)),
            }
            for copy in range(1, count + 1)
            for number, new_count in counts.items()
        ]
        connection.execute(sa.update(vouchers).where(by_number).values(target_id=sa.bindparam("new_id")), renamed)


def _write_places(engine: Engine, keys: JournalKeys, sample: Sample, count: int) -> None:
    """Write where the vouchers went, with true seals, as a run does."""
    last = sample.size * (count + 1)
    for begin in range(sample.size + 1, last + 1, _VOUCHERS_AT_ONCE):
        query = sa.select(vouchers.c.source_id, vouchers.c.target_id).where(
            vouchers.c.plan_id == sample.plan_id,
            vouchers.c.number.between(begin, min(begin + _VOUCHERS_AT_ONCE - 1, last)),
        )
        with engine.begin() as connection:
            places = [(source_id, target_id) for source_id, target_id in connection.execute(query)]
            claim_moves(connection, keys, sample.source, [source_id for source_id, _ in places], sample.plan_id)
            complete_moves(connection, keys, sample.source, sample.target, places, sample.plan_id)
