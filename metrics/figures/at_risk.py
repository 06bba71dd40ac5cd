"""At risk: required certifications that are due, or end, within 30 days."""

from metrics.figures import duties
from metrics.figures.ratio import Ratio
from metrics.figures.words import Words

FIGURE = Ratio(
    name="at_risk",
    title=Words("At risk", "临期率"),
    definition=Words(
        "Required certifications that end within 30 days after the period's end (or the as-of time, if earlier), are "
        "in their grace, or are not held yet and due within 30 days; out of those required without the exempt; people "
        "by certifications.",
        "须持证书中，自期间结束时（或所问时刻，取较早者）起 30 天内到期、处于宽限期，或尚未持有且 30 天内须取得者，"
        "占须持（不含豁免）的比例，按人次计。",
    ),
    nothing=duties.NOTHING,
    streams=duties.STREAMS,
    facts=lambda scope: duties.required(scope, lambda where: where.c.soon == 1),
    exclusions=duties.EXEMPT,
    counts_enrolments=True,
    falls_short=False,
    breakdowns=duties.BREAKDOWNS,
    each=duties.EACH,
)
