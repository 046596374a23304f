"""What becomes of a message that cannot be scanned, for one recipient."""

from __future__ import annotations

from collections.abc import Sequence

from mailweir.policies.fields import FIELD_OF, Unscannable
from mailweir.policies.scopes import Scope, value_of
from mailweir.policies.trace import Trace
from mailweir.records.words import Direction


def counted(scopes: Sequence[Scope], direction: Direction, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the un-scannable kinds that the policy counts."""
    wanted = value_of(scopes, f"{FIELD_OF[direction]}.kinds")[0]
    return tuple(kind for kind in kinds if kind in wanted)


def treat(
    scopes: Sequence[Scope], direction: Direction, kinds: tuple[str, ...], cause: Trace | None = None
) -> tuple[Unscannable, Trace]:
    """STALL, ALLOW or REJECT, and why; cause is set for an encrypted message that is treated like this."""
    name = f"{FIELD_OF[direction]}.unscannable"
    value, scope = value_of(scopes, name)
    return Unscannable(value), Trace(scope.kind, scope.name, name, value, None, kinds, cause)
