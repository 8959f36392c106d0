"""Log lines as JSON: a dotted event name, ids, and the request they belong to."""

import json
import logging

from common.trace import request_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Django attaches the whole request; its text may hold what a log must not.
_DROPPED = frozenset({"request", "server_time"})
_SECRET = ("password", "secret", "token", "authorization", "cookie", "key_hash")


class JsonLines(logging.Formatter):
    """One JSON object a line; values under telling names are left out."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if name := request_id.get():
            line["request_id"] = name
        for key, value in vars(record).items():
            if key in _STANDARD or key in _DROPPED:
                continue
            hidden = any(part in key.lower() for part in _SECRET)
            line[key] = "(hidden)" if hidden else value
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
