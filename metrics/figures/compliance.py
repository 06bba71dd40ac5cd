"""Certification compliance: who holds what they must hold."""

from metrics.figures import duties
from metrics.figures.ratio import Ratio
from metrics.figures.words import Words

STATUSES = ("certified", "renewal_due", "grace", "overdue", "expired", "revoked", "in_progress", "not_started")

FIGURE = Ratio(
    name="compliance",
    title=Words("Certification compliance", "持证合规率"),
    definition=Words(
        "Required certifications that are held: (certified + renewal due + grace) / (required - exempt). A person "
        "counts once for each certification that they must hold at the period's end (or the as-of time, if earlier), "
        "as it was known then. Beside it how many stand in each status.",
        "须持证书中已持有的比例：（持证＋待续证＋宽限）／（须持－豁免）。以期间结束时（或所问时刻，取较早者）为准，按当时所知；"
        "每人每项须持证书计一次。并列各状态的人次。",
    ),
    nothing=duties.NOTHING,
    streams=duties.STREAMS,
    facts=lambda scope: duties.required(
        scope, lambda where: where.c.status.in_(("certified", "renewal_due", "grace")), STATUSES
    ),
    exclusions=duties.EXEMPT,
    beside={
        "certified": Words("certified", "持证"),
        "renewal_due": Words("renewal due", "待续证"),
        "grace": Words("grace", "宽限"),
        "overdue": Words("overdue", "逾期"),
        "expired": Words("expired", "过期"),
        "revoked": Words("revoked", "吊销"),
        "in_progress": Words("in progress", "进行中"),
        "not_started": Words("not started", "未开始"),
    },
    counts_enrolments=True,
    breakdowns=duties.BREAKDOWNS,
    each=duties.EACH,
)
