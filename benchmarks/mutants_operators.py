"""Which faults are made: a choice of Cosmic Ray's operators, and two of our own.

Of each kind there is one for each place, or two. Others, such as a shift of a float, fail at once
whatever the tests are, and would only flatter the figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parso.python.tree import Name, Number

Position = tuple[int, int]

BINARY = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Pow_Mul", "BitAnd_BitOr")
COMPARISON = (
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt"),
    *("Lt_Gt", "LtE_GtE", "Gt_Lt", "GtE_LtE"),
)
UNARY = ("Delete_USub", "Delete_Invert", "Delete_Not")
OTHERS = (
    *("AddNot", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
)
OPPOSITES = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("nanmin", "nanmax"),
    ("argmin", "argmax"),
    ("any", "all"),
)
FACTORS = (0.5, 2.0)


class _Own:
    """What Cosmic Ray asks of an operator."""

    @classmethod
    def arguments(cls) -> tuple[()]:
        """An operator without arguments is applied as it is."""
        return ()


class ChangeNumber(_Own):
    """Whole numbers one up and one down, others halved and doubled.

    Cosmic Ray's own operator adds 1 and subtracts 1, which says little of a probability of 0.002.
    """

    def mutation_positions(self, node: Any) -> Iterator[tuple[Position, Position]]:
        """Two for each number."""
        if isinstance(node, Number):
            for _ in FACTORS:
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The number, changed."""
        text = str(node.value)
        whole = text.isdecimal()
        changed = int(text) + (-1, 1)[index] if whole else _scaled(float(text), FACTORS[index])
        return Number(f"({changed})", node.start_pos, node.prefix)


def _scaled(value: float, factor: float) -> float:
    return value * factor if value else 1.0 / factor


class SwapExtremes(_Own):
    """The largest instead of the smallest, all instead of any."""

    _OTHER = dict(OPPOSITES) | {one: other for other, one in OPPOSITES}

    def mutation_positions(self, node: Any) -> Iterator[tuple[Position, Position]]:
        """One for each name that has an opposite."""
        if isinstance(node, Name) and node.value in self._OTHER:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The opposite."""
        del index
        return Name(self._OTHER[node.value], node.start_pos, node.prefix)


OWN = {operator.__name__: operator for operator in (ChangeNumber, SwapExtremes)}
OPERATORS = frozenset(
    [
        *(f"core/ReplaceBinaryOperator_{name}" for name in BINARY),
        *(f"core/ReplaceComparisonOperator_{name}" for name in COMPARISON),
        *(f"core/ReplaceUnaryOperator_{name}" for name in UNARY),
        *(f"core/{name}" for name in OTHERS),
        *(f"tidemark/{name}" for name in OWN),
    ]
)
