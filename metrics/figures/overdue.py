"""Overdue: required certifications whose due date has passed."""

from metrics.figures import duties
from metrics.figures.ratio import Ratio
from metrics.figures.words import Words

FIGURE = Ratio(
    name="overdue",
    title=Words("Overdue", "逾期率"),
    definition=Words(
        "Required certifications that are overdue at the period's end (or the as-of time, if earlier), out of those "
        "required without the exempt; people by certifications. Beside it those that expired and were revoked, which "
        "are a status of their own.",
        "期间结束时（或所问时刻，取较早者）须持证书中状态为逾期者占须持（不含豁免）的比例，按人次计。过期与吊销为单独状态，另行列出。",
    ),
    nothing=duties.NOTHING,
    streams=duties.STREAMS,
    facts=lambda scope: duties.required(scope, lambda where: where.c.status == "overdue", ("expired", "revoked")),
    exclusions=duties.EXEMPT,
    beside={"expired": Words("expired", "过期"), "revoked": Words("revoked", "吊销")},
    counts_enrolments=True,
    falls_short=False,
    breakdowns=duties.BREAKDOWNS,
    each=duties.EACH,
)
