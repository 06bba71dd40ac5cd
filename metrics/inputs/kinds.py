"""Every kind of input: its table, and its columns in the order of the template. What a row must fulfil stands in `checks`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from metrics.figures.words import Words
from metrics.inputs import checks, models
from metrics.inputs.columns import (
    Column,
    currency,
    day,
    money,
    month,
    number,
    one_of,
    plan,
    quarter,
    several,
    share,
    text,
    time_of_day,
    whole,
    yes,
)
from plugin.errors import NotFoundError

CODE = text(100)
ZERO, ONE, FIVE = Decimal(0), Decimal(1), Decimal(5)


@dataclass(frozen=True)
class Kind:
    """A kind of input. `name` is how commands and files call it."""

    name: str
    title: Words
    model: Any
    columns: tuple[Column, ...]
    check: Callable[[dict[str, Any]], None] = field(default=checks.nothing)

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a row must fill."""
        return tuple(column.name for column in self.columns if column.required)


def _employee(what: Words, *, required: bool = True, name: str = "employee_number", kept: str = "person_id") -> Column:
    return Column(name, CODE, what, required, refers="employee", attribute=kept)


def _code(name: str, what: Words, refers: str | None = None, *, required: bool = False) -> Column:
    return Column(name, text(200), what, required, refers=refers or name)


WHO = Words("the employee's number", "员工工号")
CURRENCY = Column("currency", currency, Words("empty: the organisation's own", "留空则为本组织的币种"))
PROGRAMME = Words("the programme's code", "项目代码")
SPENDING = one_of("direct", "indirect")

KINDS: tuple[Kind, ...] = (
    Kind(
        "lecturers",
        Words("Lecturers", "讲师"),
        models.Lecturer,
        (
            Column("lecturer", CODE, Words("a code of your own", "自定代码"), required=True),
            Column("name", text(), Words("the name", "姓名"), required=True),
            Column("kind", one_of("internal", "external"), Words("internal or external", "内部或外部"), required=True),
            _employee(Words("the number of an internal one", "内部讲师的工号"), required=False),
            Column("qualification", text(5000), Words("what qualifies them", "资质")),
            Column("fee", money, Words("what they ask", "课酬")),
            CURRENCY,
            Column("fee_per", one_of("hour", "day", "course"), Words("hour, day or course", "按小时、天或课程")),
        ),
    ),
    Kind(
        "venues",
        Words("Venues", "场地"),
        models.Venue,
        (
            Column("venue", CODE, Words("a code of your own", "自定代码"), required=True),
            Column("name", text(), Words("the name", "名称"), required=True),
            Column("places", whole, Words("how many people it takes", "容纳人数")),
            Column("equipment", text(5000), Words("what is in it", "设备")),
            Column("address", text(1000), Words("where it is", "地址")),
        ),
    ),
    Kind(
        "performance_measures",
        Words("Performance figures", "绩效指标"),
        models.PerformanceMeasure,
        (
            Column("measure", CODE, Words("a code of your own", "自定代码"), required=True),
            Column("name", text(), Words("the name", "名称"), required=True),
            Column(
                "better",
                one_of("higher", "lower"),
                Words("which is better: higher or lower", "越高越好或越低越好"),
                required=True,
            ),
            Column("unit", text(50), Words("the unit", "单位")),
        ),
    ),
    Kind(
        "programmes",
        Words("Plan: programmes", "计划：培训项目"),
        models.Programme,
        (
            Column("programme", CODE, Words("a code of your own", "自定代码"), required=True),
            Column("name", text(), Words("the name", "名称"), required=True),
            Column(
                "plan",
                plan,
                Words("the plan's year or quarter: 2026, 2026Q3", "所属年度或季度计划：2026、2026Q3"),
                required=True,
            ),
            Column("objective", text(5000), Words("what is to be reached, specifically", "具体目标"), required=True),
            Column(
                "measure", text(200), Words("the figure by which that is measured", "衡量目标的指标"), required=True
            ),
            Column("target", number(), Words("the figure's target", "指标目标值"), required=True),
            Column("target_on", day, Words("the day by which it is to be reached", "达成日期"), required=True),
            Column(
                "status",
                one_of("planned", "running", "completed", "postponed", "cancelled"),
                Words(
                    "planned (if empty), running, completed, postponed, cancelled", "计划、进行中、已完成、延期、取消"
                ),
                default="planned",
            ),
            Column("starts_on", day, Words("the first day", "开始日期"), required=True),
            Column("planned_end_on", day, Words("the last day as planned", "计划结束日期"), required=True),
            Column("actual_end_on", day, Words("the last day as it was", "实际结束日期")),
            Column(
                "complete_at",
                share,
                Words(
                    "completed when this share of its target completed all its courses, such as 80%",
                    "目标人群中完成全部课程者达到此比例即视为完成，如 80%",
                ),
            ),
            Column("unplanned", yes, Words("yes for one that was not in the plan", "计划外项目填“是”"), default=False),
            Column("everybody", yes, Words("yes: for the whole organisation", "面向全体员工填“是”"), default=False),
            _code("department", Words("for those in this department", "面向该部门")),
            Column("with_children", yes, Words("and the departments below it", "包含下级部门"), default=False),
            _code("position", Words("for those in this position", "面向该岗位")),
            _code("grade", Words("for those in this grade", "面向该职级")),
            Column("tag", CODE, Words("for those with this tag", "面向带有该标签者")),
            Column(
                "courses",
                several,
                Words("its courses' idnumbers, separated by ;", "课程编号，以分号分隔"),
                default=(),
                refers="courses",
            ),
            Column("organiser", text(200), Words("the department that runs it", "主办部门"), refers="department"),
            Column("category", text(200), Words("a category of your own", "自定类别")),
            _code("lecturer", Words("the lecturer's code", "讲师代码")),
            _code("venue", Words("the venue's code", "场地代码")),
            Column(
                "performance",
                CODE,
                Words("the performance figure that it is to move", "应改善的绩效指标"),
                refers="measure",
            ),
            Column("expected_benefit", text(5000), Words("what it is to bring", "预期收益")),
            Column("milestones", text(5000), Words("milestones", "里程碑")),
            Column("deliverables", text(5000), Words("deliverables", "交付物")),
        ),
        checks.programme,
    ),
    Kind(
        "programme_people",
        Words("Programmes: people by name", "项目人员名单"),
        models.ProgrammePerson,
        (
            _code("programme", PROGRAMME, required=True),
            _employee(WHO),
            Column(
                "group",
                one_of("target", "comparison"),
                Words("target (if empty), or comparison: whom it is compared with", "目标人群（默认）或对照组"),
                default="target",
            ),
        ),
    ),
    Kind(
        "sessions",
        Words("Programmes: schedule", "项目日程"),
        models.ProgrammeSession,
        (
            _code("programme", PROGRAMME, required=True),
            Column("held_on", day, Words("the day", "日期"), required=True),
            Column("begins", time_of_day, Words("from, such as 09:00", "开始时间，如 09:00"), required=True),
            Column("ends", time_of_day, Words("until", "结束时间"), required=True),
            _code("lecturer", Words("the lecturer's code", "讲师代码")),
            _code("venue", Words("the venue's code", "场地代码")),
        ),
        checks.session,
    ),
    Kind(
        "courses",
        Words("Courses: hours, lecturer, tests", "课程：学时、讲师、测验"),
        models.CourseDetail,
        (
            _code("course", Words("the course's idnumber", "课程编号"), required=True),
            Column("hours", number(signed=False), Words("the hours that it takes", "学时")),
            _code("lecturer", Words("the lecturer's code", "讲师代码")),
            Column("pre_test", text(), Words("the idnumber of the test before", "前测编号")),
            Column("post_test", text(), Words("the idnumber of the test after", "后测编号")),
        ),
    ),
    Kind(
        "budget",
        Words("Budget lines", "预算"),
        models.BudgetLine,
        (
            Column("line", CODE, Words("the line's number", "预算行编号"), required=True),
            Column("quarter", quarter, Words("the quarter, 2026Q3", "季度，如 2026Q3"), required=True),
            Column("kind", SPENDING, Words("direct (if empty) or indirect", "直接（默认）或间接"), default="direct"),
            _code("programme", PROGRAMME),
            _code("department", Words("the department whose budget it is", "预算所属部门")),
            Column("what", text(5000), Words("for what", "用途")),
            Column("amount", money, Words("the amount", "金额"), required=True),
            CURRENCY,
        ),
    ),
    Kind(
        "costs",
        Words("Costs", "费用"),
        models.Cost,
        (
            Column("document", CODE, Words("the voucher's number", "凭证编号"), required=True),
            Column("spent_on", day, Words("the day", "日期"), required=True),
            Column(
                "kind",
                one_of("direct", "indirect", "time"),
                Words(
                    "direct (if empty), indirect, or time: what the participants' time cost",
                    "直接（默认）、间接，或 time：参训人员的工时成本",
                ),
                default="direct",
            ),
            Column("line", CODE, Words("the budget line that it is charged to", "所属预算行"), refers="line"),
            _code("programme", PROGRAMME),
            _code("department", Words("the department that pays", "承担部门")),
            Column("what", text(5000), Words("for what", "用途")),
            Column("amount", money, Words("the amount; below zero is money back", "金额；负数为退款"), required=True),
            CURRENCY,
        ),
    ),
    Kind(
        "currency_rates",
        Words("Currency rates", "汇率"),
        models.CurrencyRate,
        (
            Column("currency", currency, Words("the other currency", "外币"), required=True),
            Column("from_on", day, Words("from this day on", "生效日期"), required=True),
            Column(
                "rate",
                number(8, signed=False),
                Words("one unit of it in the organisation's", "一单位外币折合本币"),
                required=True,
            ),
        ),
        checks.rate,
    ),
    Kind(
        "ratings",
        Words("Supervisors' ratings and observations", "主管评分与行为观察"),
        models.SupervisorRating,
        (
            _code("programme", PROGRAMME, required=True),
            _employee(WHO),
            Column(
                "moment",
                one_of("before", "after"),
                Words("before or after", "培训前 before 或培训后 after"),
                required=True,
            ),
            Column(
                "months_after",
                whole,
                Words("how many months after; 3 if empty, 0 for before", "培训后几个月；默认 3，培训前为 0"),
                default=3,
            ),
            Column("dimension", CODE, Words("what was rated, where several things are", "评分维度"), default=""),
            Column("rated_on", day, Words("the day", "日期"), required=True),
            Column("score", number(), Words("the score", "得分"), required=True),
            Column("lowest", number(), Words("the scale's lowest, 1 if empty", "量表最低分，默认 1"), default=ONE),
            Column("highest", number(), Words("the scale's highest, 5 if empty", "量表最高分，默认 5"), default=FIVE),
            _employee(
                Words("the supervisor's number", "评分主管的工号"), required=False, name="rater", kept="rater_id"
            ),
            Column("observation", text(5000), Words("what was observed", "行为观察")),
        ),
        checks.rating,
    ),
    Kind(
        "performance",
        Words("Performance by month", "月度绩效"),
        models.PerformanceValue,
        (
            _code("measure", Words("the performance figure's code", "绩效指标代码"), required=True),
            _employee(WHO),
            Column("month", month, Words("the month, 2026-07", "月份，如 2026-07"), required=True),
            Column("value", number(), Words("the value", "数值"), required=True),
        ),
    ),
    Kind(
        "benefits",
        Words("Benefit statements", "收益声明"),
        models.Benefit,
        (
            Column("statement", CODE, Words("the statement's number", "声明编号"), required=True),
            _code("programme", PROGRAMME, required=True),
            Column("stated_on", day, Words("the day for which it counts", "计入日期"), required=True),
            Column(
                "kind",
                one_of("savings", "performance"),
                Words("savings (if empty), or performance in money", "节约额（默认）或绩效改善折合金额"),
                default="savings",
            ),
            Column("amount", money, Words("the amount", "金额"), required=True),
            CURRENCY,
            Column(
                "isolation",
                share,
                Words("how much of it is the training's doing, such as 60%", "归因于培训的比例，如 60%"),
            ),
            Column("confidence", share, Words("how sure that is; 100% if empty", "可信度，默认 100%")),
            Column("stated_by", text(), Words("who says so", "声明人")),
            Column("what", text(5000), Words("what was gained", "收益内容")),
        ),
    ),
    Kind(
        "survey_answers",
        Words("Survey answers", "问卷答案"),
        models.SurveyEntry,
        (
            Column("survey", CODE, Words("the survey's code", "问卷代码"), required=True),
            Column("respondent", CODE, Words("a number for each sheet of answers", "答卷编号"), required=True),
            Column("question", text(200), Words("the question", "问题"), required=True),
            Column(
                "purpose",
                one_of("satisfaction", "needs"),
                Words("satisfaction (if empty) or needs", "满意度（默认）或需求"),
                default="satisfaction",
            ),
            Column(
                "dimension",
                text(100),
                Words("content, lecturer, organisation, learning_gain or another", "维度：content、lecturer 等"),
            ),
            _code("course", Words("the course's idnumber", "课程编号")),
            _code("programme", PROGRAMME),
            _employee(Words("empty: anonymous", "留空为匿名"), required=False),
            Column("answered_on", day, Words("the day", "日期")),
            Column("score", number(), Words("the score", "得分")),
            Column("lowest", number(), Words("the scale's lowest, 1 if empty", "量表最低分，默认 1"), default=ONE),
            Column("highest", number(), Words("the scale's highest, 5 if empty", "量表最高分，默认 5"), default=FIVE),
            Column("answer", text(5000), Words("an answer in words", "文字回答")),
        ),
        checks.survey_answer,
    ),
    Kind(
        "competencies",
        Words("Competency model", "胜任力模型"),
        models.ModelCompetency,
        (
            Column("competency", CODE, Words("a code of your own", "自定代码"), required=True),
            Column("name", text(), Words("the name", "名称"), required=True),
            Column(
                "dimension",
                text(100),
                Words("general, professional, leadership or another", "通用、专业、领导力等维度"),
                required=True,
            ),
            Column(
                "lms_object",
                text(),
                Words("what the LMS calls it: FRAMEWORK/COMPETENCY", "在学习平台中的编号：框架/能力"),
            ),
            Column(
                "courses",
                several,
                Words("the courses that develop it, separated by ;", "培养该能力的课程，以分号分隔"),
                default=(),
                refers="courses",
            ),
            Column("what", text(5000), Words("what it means", "含义")),
        ),
    ),
    Kind(
        "competency_levels",
        Words("Levels of competencies", "能力等级"),
        models.ModelLevel,
        (
            _code("competency", Words("the competency's code", "能力代码"), required=True),
            Column("level", whole, Words("the level's number", "等级"), required=True),
            Column("name", text(), Words("the name", "名称"), required=True),
            Column("behaviour", text(5000), Words("by which behaviour it is known", "行为描述"), required=True),
        ),
    ),
    Kind(
        "positions",
        Words("Positions: criticality", "岗位关键程度"),
        models.Post,
        (
            _code("position", Words("the position's code", "岗位代码"), required=True),
            Column(
                "criticality",
                number(signed=False),
                Words("the weight of what is lacking there", "差距权重"),
                required=True,
            ),
        ),
    ),
    Kind(
        "required_competencies",
        Words("Positions: required competencies", "岗位能力要求"),
        models.PostCompetency,
        (
            _code("position", Words("the position's code", "岗位代码"), required=True),
            _code("competency", Words("the competency's code", "能力代码"), required=True),
            Column("level", whole, Words("the level required", "要求等级"), required=True),
        ),
    ),
    Kind(
        "competency_assessments",
        Words("Assessed competency levels", "能力评估"),
        models.CompetencyAssessment,
        (
            _employee(WHO),
            _code("competency", Words("the competency's code", "能力代码"), required=True),
            Column("assessed_on", day, Words("the day", "日期"), required=True),
            Column(
                "by",
                one_of("assessor", "self"),
                Words("assessor (if empty) or self", "评估人（默认）或自评"),
                default="assessor",
            ),
            Column("level", whole, Words("the level found", "评估等级"), required=True),
            Column("valid_until", day, Words("the first day on which it does not count", "失效日期")),
            _employee(
                Words("the assessor's number", "评估人工号"), required=False, name="assessor", kept="assessor_id"
            ),
        ),
    ),
    Kind(
        "interviews",
        Words("Interview notes", "访谈记录"),
        models.InterviewNote,
        (
            Column("note", CODE, Words("the note's number", "记录编号"), required=True),
            Column("held_on", day, Words("the day", "日期"), required=True),
            Column(
                "kind",
                one_of("interview", "focus_group", "leaver", "promotion"),
                Words("interview (if empty), focus_group, leaver, promotion", "访谈（默认）、焦点小组、离职、晋升"),
                default="interview",
            ),
            _code("department", Words("the department that it is about", "所涉部门")),
            _employee(Words("the employee that it is about", "所涉员工的工号"), required=False),
            _code("competency", Words("the competency that it is about", "所涉能力")),
            Column("said", text(20000), Words("what was said", "内容"), required=True),
        ),
    ),
    Kind(
        "external_training",
        Words("External training", "外部培训"),
        models.ExternalTraining,
        (
            _employee(WHO),
            Column("title", text(), Words("its title", "名称"), required=True),
            Column("ended_on", day, Words("the last day", "结束日期"), required=True),
            Column("began_on", day, Words("the first day", "开始日期")),
            Column("hours", number(signed=False), Words("the hours", "学时"), required=True),
            Column("provider", text(), Words("who gave it", "培训机构")),
            Column("category", text(), Words("a category", "类别")),
            _code("programme", PROGRAMME),
            Column("certificate", text(), Words("the certificate's number", "证书编号")),
        ),
        checks.external,
    ),
)


def kind(name: str) -> Kind:
    """The kind of this name. Raises NotFoundError."""
    for each in KINDS:
        if each.name == name:
            return each
    raise NotFoundError(f"There is no kind of input {name!r}; there are: {', '.join(each.name for each in KINDS)}.")
