"""An open database and the read-only query for notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg._core import db as _db

if TYPE_CHECKING:
    import pandas as pd

Condition = tuple[str, str, Any]


class Database:
    """Rows of one database as dictionaries.

    Parameters
    ----------
    path : str or Path
        File; made and migrated when it does not exist or is older.
    schema : {'queue', 'registry', 'products', 'catalog'}
        Which database it is.

    Raises
    ------
    DataError
        The file is another database, a newer version, or damaged.
    OSError
        It cannot be opened or written.
    """

    def __init__(self, path: str | os.PathLike[str], schema: str) -> None:
        self._core = _db.Database(path, schema)

    @property
    def path(self) -> Path:
        """File of this database."""
        return Path(self._core.path)

    @property
    def core(self) -> _db.Database:
        """The core's handle, for the typed modules of this package."""
        return self._core

    def select(
        self,
        table: str,
        *conditions: Condition,
        columns: Sequence[str] | None = None,
        order_by: Iterable[str | tuple[str, bool]] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Rows that meet all conditions.

        Parameters
        ----------
        table : str
            Table or view.
        *conditions : tuple
            ``(column, operator, value)`` with operator ``=  !=  <  <=  >  >=``; ``=`` holds for NULL and None.
        columns : sequence of str, optional
            Columns wanted; all when left out.
        order_by : iterable
            Column names, or ``(name, descending)``.
        limit, offset : int
            Page.

        Raises
        ------
        ValueError
            An unknown table, column or operator.
        """
        order = [(o, False) if isinstance(o, str) else o for o in order_by]
        return self._core.select(
            table,
            columns=list(columns) if columns is not None else None,
            where_=list(conditions),
            order_by=order,
            limit=limit,
            offset=offset,
        )

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]], *, conflict: Sequence[str] = ()) -> int:
        """Insert rows with the same keys, all or none; rows equal in the `conflict` columns are updated.

        Returns
        -------
        int
            Rows written.
        """
        return self.insert_all([(table, rows, conflict)])

    def insert_all(self, batches: Iterable[tuple[str, Iterable[Mapping[str, Any]], Sequence[str]]]) -> int:
        """Insert ``(table, rows, conflict)`` into several tables in one transaction: all of it or nothing."""
        return self._core.insert_all(_prepared(batches))

    def replace_all(
        self,
        deletions: Iterable[tuple[str, Sequence[Condition]]],
        batches: Iterable[tuple[str, Iterable[Mapping[str, Any]], Sequence[str]]],
    ) -> int:
        """Delete the rows that meet all conditions of each deletion, then insert, in one transaction."""
        return self._core.replace_all([(t, list(c)) for t, c in deletions], _prepared(batches))

    def insert_columns(self, batches: Iterable[tuple[str, Mapping[str, Any], Sequence[str]]]) -> int:
        """Insert ``(table, columns, conflict)`` into several tables in one transaction: all of it or nothing.

        A column is an array of float64 (NaN is NULL) or int64, a list of str, rows of float64 that become JSON lists
        with one decimal, or one value for every row. Some ten times faster than rows of objects.

        Raises
        ------
        ValueError
            An unknown name, columns of different lengths, a broken constraint.
        """
        return _db.insert_columns(self._core, [(t, list(c.items()), list(k)) for t, c, k in batches])

    def upsert(self, table: str, row: Mapping[str, Any], *keys: str) -> None:
        """Insert one row, or update the row equal in `keys`."""
        self.insert(table, [row], conflict=keys)

    def update(self, table: str, values: Mapping[str, Any], *conditions: Condition) -> int:
        """Set values in the rows that meet all conditions; at least one condition. Returns how many."""
        return self._core.update(table, list(values.items()), list(conditions))

    def delete(self, table: str, *conditions: Condition) -> int:
        """Delete the rows that meet all conditions; at least one condition. Returns how many."""
        return self._core.delete(table, list(conditions))

    def frame(self, table: str, *conditions: Condition, **options: Any) -> pd.DataFrame:
        """Like `select`, as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.select(table, *conditions, **options))

    def backup(self, target: str | os.PathLike[str]) -> None:
        """Copy a consistent snapshot to a file that does not exist yet."""
        self._core.backup(target)


def _prepared(
    batches: Iterable[tuple[str, Iterable[Mapping[str, Any]], Sequence[str]]],
) -> list[tuple[str, list[str], list[list[Any]], list[str]]]:
    prepared = []
    for table, rows_in, conflict in batches:
        rows = list(rows_in)
        if not rows:
            continue
        columns = list(rows[0])
        for row in rows:
            if list(row) != columns:
                raise ValueError(f"{table}: expected every row to have the keys {columns}, found {list(row)}")
        prepared.append((table, columns, [list(row.values()) for row in rows], list(conflict)))
    return prepared


def open_database(path: str | os.PathLike[str], schema: str) -> Database:
    """Open, create or migrate a database; see `Database`."""
    return Database(path, schema)


def query(path: str | os.PathLike[str], sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
    """Run one SELECT of your own on a connection that cannot write.

    Parameters
    ----------
    path : str or Path
        Database file.
    sql : str
        One reading statement; values as ``?``.
    parameters : sequence
        Values for the ``?``.

    Returns
    -------
    pandas.DataFrame
        Rows.

    Raises
    ------
    ValueError
        The statement is not SQL, or would write.
    OSError
        The file does not exist.
    """
    import pandas as pd

    return pd.DataFrame(_db.query(path, sql, list(parameters)))
