"""On track: required certifications that are held, or still have time, and are not at risk."""

from metrics.figures import duties
from metrics.figures.ratio import Ratio
from metrics.figures.words import Words

FINE = ("certified", "renewal_due", "in_progress", "not_started")

FIGURE = Ratio(
    name="on_track",
    title=Words("On track", "正常率"),
    definition=Words(
        "Required certifications that are held, or not held yet and not overdue, and that neither end nor are due "
        "within 30 days; out of those required without the exempt, at the period's end (or the as-of time, if "
        "earlier); people by certifications.",
        "须持证书中，已持有或尚未逾期，且 30 天内既不到期也无须取得者，占须持（不含豁免）的比例；以期间结束时"
        "（或所问时刻，取较早者）为准，按人次计。",
    ),
    nothing=duties.NOTHING,
    streams=duties.STREAMS,
    facts=lambda scope: duties.required(scope, lambda where: where.c.status.in_(FINE) & (where.c.soon == 0)),
    exclusions=duties.EXEMPT,
    counts_enrolments=True,
    falls_short=False,
    breakdowns=duties.BREAKDOWNS,
    each=duties.EACH,
)
