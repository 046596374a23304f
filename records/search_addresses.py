"""Which addresses a search term means.

Each address stands once in the records, so a term is first turned into the few numbers that it means; only
when they are too many do searches compare the address of every row instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailweir.records.sql import Budget, Sql, any_of, contains, numbers, one, rows, sqlite
from mailweir.records.text import fold, storable
from mailweir.records.texts import SHORTEST, Kind, trigrams

MOST = 2_000  # addresses that a statement names one by one


@dataclass(frozen=True)
class Addresses:
    """The addresses that a term means: their numbers; None when too many: a condition on `x` (address).

    indexed: an index of address lists those that meet the condition.
    """

    condition: Sql
    numbers: tuple[int, ...] | None
    indexed: bool = False

    def hold(self, column: str) -> Sql:
        """Whether the address numbered by the column is one of them."""
        if self.numbers is not None:
            return Sql(f"{column} IN ({numbers(self.numbers)})")
        return Sql(
            f"EXISTS (SELECT 1 FROM address x WHERE x.id = {column} AND {self.condition.text})",
            self.condition.values,
        )

    def rows_of(self, table: str, column: str, key: str) -> Sql | None:
        """A statement, to which a condition can be added, that lists the key of the table's rows whose column
        names one of them; None when no index leads there.

        Of many addresses most may have no row at all, so going by them is still far less than by all rows.
        """
        if self.numbers is not None:
            return Sql(f"SELECT t.{key} AS id FROM {table} t WHERE t.{column} IN ({numbers(self.numbers)})")
        if not self.indexed:
            return None
        joined = f"SELECT t.{key} AS id FROM address x CROSS JOIN {table} t WHERE t.{column} = x.id"
        return Sql(f"{joined} AND {self.condition.text}", self.condition.values)


def resolve(term: str, budget: Budget) -> Addresses:
    """What a term of Filter.sender or Filter.recipient means; see Filter for its forms."""
    text = fold(storable(term))
    if text == "<>":
        return _listed(Sql("x.folded = ?", ("",)), budget)
    if text.startswith("@") and len(text) > 1:
        return _listed(in_domain(text[1:]), budget, indexed=True)
    if text.startswith(".") and len(text) > 1:
        return _listed(any_of([in_domain(text[1:]), _below_domain(text[1:])]), budget, indexed=True)
    bare = text.removeprefix("<").removesuffix(">")
    if "@" in bare and one(Sql("SELECT 1 FROM address WHERE folded = ?", (bare,)), budget):
        return _listed(Sql("x.folded = ?", (bare,)), budget)
    return having(bare, budget)


def having(part: str, budget: Budget) -> Addresses:
    """The addresses that have the folded text anywhere in them."""
    condition = contains("x.folded", part)
    if not sqlite() or len(part) < SHORTEST:
        return _listed(condition, budget)
    indexed = "SELECT x.id FROM address_text CROSS JOIN address x WHERE x.id = address_text.rowid"
    noted = (
        f"SELECT x.id FROM text_todo t CROSS JOIN address x WHERE t.kind = {Kind.ADDRESS:d} AND x.id = t.id"
    )
    found = rows(
        Sql(f"{indexed} AND address_text MATCH ? AND {condition.text}", (trigrams(part), *condition.values))
        + Sql(f"UNION ALL {noted} AND {condition.text} LIMIT {MOST + 1}", condition.values),
        budget,
    )
    return _few(condition, found)


def in_domain(domain: str) -> Sql:
    """Whether the address `x` is of exactly this domain."""
    return Sql("x.domain_reversed = ?", (domain[::-1],))


def _below_domain(domain: str) -> Sql:
    start = domain[::-1]
    return Sql("x.domain_reversed >= ? AND x.domain_reversed < ?", (start + ".", start + "/"))


def _listed(condition: Sql, budget: Budget, *, indexed: bool = False) -> Addresses:
    statement = f"SELECT x.id FROM address x WHERE {condition.text} LIMIT {MOST + 1}"
    return _few(condition, rows(Sql(statement, condition.values), budget), indexed=indexed)


def _few(condition: Sql, found: list[tuple[int, ...]], *, indexed: bool = False) -> Addresses:
    several = tuple(sorted({row[0] for row in found}))
    return Addresses(condition, several if len(found) <= MOST else None, indexed)
