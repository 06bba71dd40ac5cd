"""In which order and under which headings figures are shown."""

from metrics.figures.words import Words

GROUPS: tuple[tuple[Words, tuple[str, ...]], ...] = (
    (
        Words("The five indicators", "五项指标"),
        ("programme_completion", "satisfaction", "coverage", "cost_control", "roi"),
    ),
    (
        Words("Learning, behaviour, results", "学习、行为、结果"),
        ("pass_rate", "score", "learning_gain", "behaviour_change", "results"),
    ),
    (
        Words("Certifications and promotions", "持证与晋升"),
        ("compliance", "overdue", "at_risk", "on_track", "expiring", "promotion_eligibility"),
    ),
    (
        Words("Training and competencies", "培训与能力"),
        ("completion_rate", "training_hours", "time_to_complete", "competency_gap"),
    ),
)
