"""What a policy makes of conflicts, into the ledger: which supported facts are not asserted, and how many heads of each
relation have one value.

Both follow from the rows of the ledger as they now are. A delta looks only at the pairs of head and relation that it
touched.
"""

import logging
from typing import cast

from kgqa.conflicts import Policy, losers, mark_slots, read_conflicts
from kgqa.ids import RELATION, name_of
from kgqa.ledger import Ledger
from kgqa.schema import FOREVER

log = logging.getLogger(__name__)

Ids = tuple[int, int, int]
"""The terms of a triple; or a relation, its heads, and those of them that have one tail."""


def overrule(ledger: Ledger, policy: Policy, *, anew: bool) -> None:
    """Sets which facts are overruled from this generation on; `anew`: of all conflicts, not only those it touched."""
    unknown = sorted(
        name_of(term) for term in policy.functional if term.startswith(RELATION) and not ledger.term_id(term)
    )
    if unknown:
        log.warning("conflict.functional: no fact has the relation %s", ", ".join(unknown))
    if policy.keep == "both" and not anew:
        return
    wanted = overruled_by(ledger, policy, touched=not anew)
    marked = "TRUE" if anew else "(head, relation) IN (SELECT head, relation FROM temp.slots)"
    _set(ledger, "overruled", wanted, where=marked)


def overruled_by(ledger: Ledger, policy: Policy, *, touched: bool) -> set[Ids]:
    """The triples that the policy takes out, where conflicts are that the generation touched, or everywhere."""
    functional = {ledger.term_id(term) for term in policy.functional} - {None}
    wanted: set[Ids] = set()
    for conflict in read_conflicts(ledger, cast(set[int], functional), (), touched=touched):
        ends = ledger.term_id(conflict.head), ledger.term_id(conflict.relation)
        wanted |= {cast(Ids, (*ends, ledger.term_id(term))) for term in losers(conflict.values, policy.keep)}
    return wanted


_TAILS = """
    (SELECT count(*) FROM (SELECT DISTINCT node_tail FROM supports
        WHERE node_head = slots.head AND relation = slots.relation AND {alive} LIMIT 2))
"""
"""0, 1, or 2 for more."""
_BEFORE = _TAILS.format(alive="+born < :generation AND +died >= :generation")
_AFTER = _TAILS.format(alive="+died > :generation")


def count_heads(ledger: Ledger, *, anew: bool) -> None:
    """Brings up to date how many heads each relation has, and how many of them have one tail; `anew`: counts all."""
    if anew:
        _set(ledger, "cardinalities", head_counts(ledger), where="TRUE")
        return
    mark_slots(ledger, None, touched=True)
    rows = ledger.rows(
        "SELECT slot.relation, coalesce(heads, 0) + sum(after > 0) - sum(before > 0), "
        "coalesce(single, 0) + sum(after = 1) - sum(before = 1) "
        f"FROM (SELECT relation, {_BEFORE} AS before, {_AFTER} AS after FROM temp.slots) AS slot "
        f"LEFT JOIN cardinalities ON cardinalities.relation = slot.relation AND cardinalities.died = {FOREVER} "
        "GROUP BY slot.relation"
    )
    wanted = {row for row in cast(list[Ids], list(rows)) if row[1]}
    _set(ledger, "cardinalities", wanted, where="relation IN (SELECT relation FROM temp.slots)")


def head_counts(ledger: Ledger) -> set[Ids]:
    """(relation, heads, heads with one tail) of every relation, from all that lives; costs what there is."""
    by_head = (
        "SELECT relation, min(node_tail) = max(node_tail) AS single FROM supports "
        "WHERE +born <= :generation AND +died > :generation GROUP BY node_head, relation"
    )
    rows = ledger.rows(f"SELECT relation, count(*), sum(single) FROM ({by_head}) GROUP BY relation")
    return cast(set[Ids], set(rows))


def _set(ledger: Ledger, table: str, wanted: set[Ids], *, where: str) -> None:
    """Makes `wanted` the living rows of a table of three ids, among those that `where` names."""
    columns = "head, relation, tail" if table == "overruled" else "relation, heads, single"
    rows = ledger.rows(f"SELECT {columns}, rowid FROM {table} WHERE died = {FOREVER} AND {where}")
    held = {cast(Ids, row[:3]): row[3] for row in rows}
    run, now = ledger.connection.executemany, ledger.generation
    run(f"UPDATE {table} SET died = ? WHERE rowid = ?", [(now, held[row]) for row in held.keys() - wanted])
    run(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", [(*row, now, FOREVER) for row in wanted - held.keys()])
