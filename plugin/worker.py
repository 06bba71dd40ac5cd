"""The Celery app: each addon's tasks, one beat entry that claims what is due, and the wake-up calls.

A task is a plain function `(installation, argument)` in an addon's `TASKS`; it runs without Celery as well.
Messages only say 'look': what there is to do stands in the store, so a lost message costs a delay, no more.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.signals import setup_logging, worker_process_init
from kombu.exceptions import OperationalError

from plugin import schedules
from plugin.errors import LeaseHeldError
from plugin.installation import Installation

log = logging.getLogger(__name__)

CLAIM_DUE = "plugin.claim_due"
CLAIM_EVERY = 1.0

Task = Callable[[Installation, str | None], None]


def celery_app(installation: Installation) -> Celery:
    """The Celery app of this installation, with every installed addon's tasks; `installation.wake` sends through it."""
    url = installation.settings.broker.url
    if url == "memory://":
        url = "memory://localhost"  # the same, of which kombu does not complain
    app = Celery("certbridge", broker=url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # or what we log to standard error would come back to the log, and be dropped
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a scheduler that gave up would stand there and do nothing
        beat_schedule={CLAIM_DUE: {"task": CLAIM_DUE, "schedule": CLAIM_EVERY}},
        broker_transport_options={
            # Who sends a message does not wait for a broker that is away: what there is to do stands in the store.
            **{"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
            # Without it the in-memory transport takes a second per message.
            **({"polling_interval": 0.02} if url.startswith("memory:") else {}),
        },
    )
    for addon in installation.installed:
        for name, function in getattr(installation.room(addon, "tasks"), "TASKS", {}).items():
            _register(app, installation, name, function)

    @app.task(name=CLAIM_DUE, shared=False)  # type: ignore[untyped-decorator]  # Celery is not annotated
    def claim() -> None:
        claim_due(app, installation)

    setup_logging.connect(_leave_logging)
    installation.wake = _waker(app, installation)
    worker_process_init.connect(lambda **_: installation.store.engine.dispose(close=False), weak=False)
    return app


def _leave_logging(**_: Any) -> None:
    """That there is a receiver keeps Celery from setting up logging: `[log]` says what is logged, in a worker as well."""


def _register(app: Celery, installation: Installation, name: str, function: Task) -> None:
    def run(argument: str | None = None, schedule: str | None = None) -> None:
        if schedule is None:
            function(installation, argument)
            return
        try:
            with schedules.lease(installation.store, schedule, installation.clock, only_if_due=True):
                function(installation, argument)
        except LeaseHeldError as error:
            log.debug("%s", error)

    app.task(name=name, shared=False)(run)  # shared ones would go to every other app of this process


def claim_due(app: Celery, installation: Installation) -> None:
    """Hand every schedule that is due to a worker."""
    with installation.store.write() as session:
        claimed = [(row.name, row.task, row.argument) for row in schedules.claim_due(session, installation.clock())]
    for name, task, argument in claimed:
        app.send_task(task, kwargs={"argument": argument, "schedule": name})


def _waker(app: Celery, installation: Installation) -> Callable[[str], None]:
    subscribers: dict[str, list[str]] = {}
    for addon in installation.installed:
        for topic, task in addon.manifest.get("wakes", {}).items():
            subscribers.setdefault(topic, []).append(task)

    def wake(topic: str) -> None:
        for task in subscribers.get(topic, []):
            try:
                app.send_task(task, retry=False)
            except (OperationalError, OSError) as error:
                log.warning(
                    "The broker did not take the message %s (%s); the next schedule will find the work.",
                    task,
                    type(error).__name__,
                )

    return wake


def start(installation: Installation) -> None:
    """What has to stand in the store before work begins: each addon's `on_start`."""
    for function in installation.provided("on_start").values():
        function(installation)


def beat(app: Celery) -> Any:
    """The scheduler as a thread of this process; call `start()` on it, and `stop()` at the end.

    It keeps nothing on disk: what is due stands in the store.
    """
    return EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler")
