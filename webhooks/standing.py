"""What the attempts at its messages say about an endpoint itself: how it stands, and whether it is still sent to.

A success ends a row of failures; `disable_after` of nothing but failures disables the endpoint, as 410 does at once. An
endpoint that asks for it is left alone (`paused_until`). What is kept here about silence is read by webhooks/alerts.py.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhooks import target as outcomes
from webhooks.models import Endpoint
from webhooks.results import Result
from webhooks.settings import WebhooksSettings

# Failures further apart are not one row of them: nothing was tried in between.
BREAK = timedelta(days=2)
WEEKS = 8  # whose silences are kept
NOT_ITS_DOING = (outcomes.TOO_LARGE, outcomes.BROKEN)


def judge(session: Session, endpoint_id: int, results: Sequence[Result], now: datetime, own: WebhooksSettings) -> None:
    """Write down what these attempts, made up to `now`, say about the endpoint."""
    if not results:
        return
    query = select(Endpoint).where(Endpoint.id == endpoint_id).with_for_update(key_share=True)
    endpoint = session.scalars(query, execution_options={"populate_existing": True}).one_or_none()
    if endpoint is None:
        return
    failures = [result for result in results if not result.delivered]
    if len(failures) < len(results):
        note_success(endpoint, now)
        _note_arrival(endpoint, now)
    if failures:
        _note_failures(endpoint, failures, now, everything_failed=len(failures) == len(results), own=own)


def note_success(endpoint: Endpoint, now: datetime) -> None:
    """It accepted something at `now`: a row of failures has ended."""
    endpoint.last_success_at = now
    endpoint.failing_since = None


def _note_failures(
    endpoint: Endpoint, failures: Sequence[Result], now: datetime, *, everything_failed: bool, own: WebhooksSettings
) -> None:
    its_own = [failure for failure in failures if failure.answer.outcome not in NOT_ITS_DOING]
    if everything_failed and its_own:
        broken_off = endpoint.last_failure_at is None or now - endpoint.last_failure_at > BREAK
        if endpoint.failing_since is None or broken_off:
            endpoint.failing_since = now
    endpoint.last_failure_at, endpoint.last_failure = now, failures[-1].answer.reason
    for failure in its_own:
        if failure.answer.outcome == outcomes.GONE:
            _disable(endpoint, failure.answer.reason, now)
        elif failure.answer.outcome == outcomes.THROTTLED:
            pause = failure.answer.retry_after if failure.answer.retry_after is not None else own.slow_down
            endpoint.paused_until = max(endpoint.paused_until or now, now + pause)
    if endpoint.failing_since is not None and now - endpoint.failing_since >= own.patience:
        _disable(
            endpoint,
            f"Nothing but failures came back for too long (since {endpoint.failing_since:%Y-%m-%d %H:%M}Z).",
            now,
        )


def _disable(endpoint: Endpoint, reason: str, now: datetime) -> None:
    if endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_reason = now, reason


def _note_arrival(endpoint: Endpoint, now: datetime) -> None:
    """An event arrived at `now`: keep the longest silence of each of the last weeks."""
    if endpoint.delivered_at is not None:
        silence = (now - endpoint.delivered_at).total_seconds()
        week = now.strftime("%G-W%V")
        gaps = dict(endpoint.gaps or {})
        if silence > gaps.get(week, -1):
            gaps[week] = round(silence)
            endpoint.gaps = {name: gaps[name] for name in sorted(gaps)[-WEEKS:]}
    endpoint.delivered_at = now
