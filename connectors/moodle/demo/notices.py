"""The notices that the companion plugin sends: what its log holds that was not sent yet, signed as Standard Webhooks."""

import json
from datetime import UTC, datetime

import requests
from standardwebhooks import Webhook

from connectors.moodle.demo.changelog import ChangeLog

BATCH = 500


class Sender:
    """Sends to one address; nothing before `url` and `secret` are given."""

    def __init__(self) -> None:
        self.url = ""
        self.secret = ""

    def send(self, log: ChangeLog, site: str) -> list[int]:
        """Send what waits, in batches; the status of each answer. What was not taken waits for the next time."""
        answers: list[int] = []
        while self.url and (batch := [entry for entry in log.entries if entry.id > log.sent][:BATCH]):
            first, last = batch[0].id, batch[-1].id
            now = datetime.now(UTC)
            data = {"site": site, "epoch": log.epoch, "first": first, "last": last}
            body = json.dumps(
                {
                    "type": "moodle.changes",
                    "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "data": {**data, "changes": [entry.row() for entry in batch]},
                }
            )
            message_id = f"{log.epoch}.{first}-{last}"
            headers = {
                "Content-Type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": Webhook(self.secret).sign(message_id, now, body),
            }
            answers.append(requests.post(self.url, data=body, headers=headers, timeout=10).status_code)
            if answers[-1] >= 300:
                break
            log.sent = last
        return answers
