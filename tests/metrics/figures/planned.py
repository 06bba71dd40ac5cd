"""Inputs put straight into the store, made with what is usual unless a test says otherwise."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from metrics.inputs import models
from tests.metrics.figures.world import World

EARLY = datetime(2025, 1, 1, tzinfo=UTC)


def put(world: World, model: Any, **values: Any) -> None:
    """A row of an input, on record since long ago."""
    world.session.add(model(**{"recorded_at": EARLY, **values}))
    world.session.flush()


def programme(world: World, code: str = "P1", **values: Any) -> None:
    """A programme for everybody that was planned for April to June."""
    usual: dict[str, Any] = {
        "programme": code, "name": f"Name {code}", "plan": "2026", "objective": "O", "measure": "M", "target": Decimal(1),
        "target_on": date(2026, 12, 31), "status": "planned", "starts_on": date(2026, 4, 1),
        "planned_end_on": date(2026, 6, 30), "unplanned": False, "everybody": True, "with_children": False, "courses": [],
    }  # fmt: skip
    put(world, models.Programme, **{**usual, **values})


def budget(world: World, line: str, amount: str, quarter: str = "2026Q2", **values: Any) -> None:
    """A budget line in the organisation's currency."""
    usual = {"kind": "direct", "currency": "EUR"}
    put(world, models.BudgetLine, line=line, quarter=quarter, amount=Decimal(amount), **{**usual, **values})


def cost(world: World, document: str, amount: str, day: str = "2026-05-01", **values: Any) -> None:
    """A direct cost in the organisation's currency."""
    usual = {"kind": "direct", "currency": "EUR"}
    put(
        world,
        models.Cost,
        document=document,
        amount=Decimal(amount),
        spent_on=date.fromisoformat(day),
        **{**usual, **values},
    )


def benefit(world: World, statement: str, amount: str, isolation: str | None = "0.5", **values: Any) -> None:
    """Savings that were stated at the end of June."""
    usual = {
        "programme": "P1",
        "kind": "savings",
        "currency": "EUR",
        "stated_on": date(2026, 6, 30),
        "confidence": None,
    }
    put(
        world,
        models.Benefit,
        statement=statement,
        amount=Decimal(amount),
        isolation=None if isolation is None else Decimal(isolation),
        **{**usual, **values},
    )


def rate(world: World, currency: str, day: str, worth: str) -> None:
    """What a currency is worth from a day on."""
    put(world, models.CurrencyRate, currency=currency, from_on=date.fromisoformat(day), rate=Decimal(worth))
