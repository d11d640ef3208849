"""What Schemathesis cannot know from the document: sessions that exist, and rules that no schema can say."""

import itertools
import json
import os
import re

import requests
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.generation.meta import TestPhase

API = os.environ["HEADWATER_API"]
# One call in so many goes to a session that the generator has made up, and most likely does not exist.
STRANGER_ONE_IN = 4
# After so many calls the session is closed, deleted or full enough.
CALLS_PER_SESSION = 12
SESSION_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
AGENT = "coder"

WORK = [
    {"channel": "chunks", "data": {"id": "c1", "agentId": AGENT, "text": "Looking", "turn": 1}},
    {"channel": "toolCalls", "data": {"id": "t1", "agentId": AGENT, "tool": "ls", "input": {}, "status": "running"}},
    {"channel": "toolCalls", "data": {"id": "t1", "output": ["Cargo.toml"], "status": "complete"}},
    {"channel": "terminal", "data": {"id": "l1", "type": "input", "data": "make\n", "source": "user"}},
    {"channel": "workflow", "data": {"id": "w1", "type": "approval:requested", "payload": {"a": 1}}},
    {"channel": "agentState", "data": {"agentId": AGENT, "status": "running", "turn": 1}},
    {"channel": "presence", "data": {"userId": "ada", "cursor": {"x": 1, "y": 2}}},
]


class Session:
    """A session with something of everything in it; another one every few calls."""

    def __init__(self):
        self.http = requests.Session()
        self.calls = itertools.count()
        self.id = self.offset = ""

    def current(self):
        if next(self.calls) % CALLS_PER_SESSION == 0:
            row = self.ask("sessions", {"projectId": "openapi", "agentId": AGENT, "title": "Fix the build"})
            self.id = row["data"]["id"]
            self.offset = self.ask(f"streams?sessionId={self.id}", WORK)["offset"]
        return self

    def ask(self, path, body):
        answer = self.http.post(f"{API}/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()


session = Session()
turn = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Sends most requests that are well formed to a session that exists. The stateful phase makes its own."""
    if case.meta is None or case.meta.phase.name == TestPhase.STATEFUL or next(turn) % STRANGER_ONE_IN == 0:
        return
    named = [case.path_parameters.get("id"), case.query.get("sessionId")]
    if not any(isinstance(name, str) and SESSION_ID.fullmatch(name) for name in named):
        return
    live = session.current()
    if "id" in case.path_parameters:
        case.path_parameters["id"] = live.id
    if "sessionId" in case.query and "agentId" not in case.query:
        case.query["sessionId"] = live.id
    if case.meta.generation.mode.is_positive:
        for name in ("offset", "fromOffset", "from", "cursor"):
            if name in case.query:
                case.query[name] = live.offset
        if "Last-Event-ID" in case.headers:
            case.headers["Last-Event-ID"] = live.offset
        fit(case.body, live)


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what only looks like a mistake: a parameter that is empty is one that is absent, as forms send them."""
    is_mistake = case.meta is not None and not case.meta.generation.mode.is_positive
    return not (is_mistake and any(value == "" for value in (case.query or {}).values()))


def fit(body, live):
    """Lets a body name the session it is sent to, and an offset that was handed out."""
    for item in body if isinstance(body, list) else [body]:
        if not isinstance(item, dict):
            continue
        for part in (item, item.get("data")):
            if isinstance(part, dict) and isinstance(part.get("sessionId"), str):
                part["sessionId"] = live.id
        if isinstance(item.get("offset"), str):
            item["offset"] = live.offset


# Why a request that the document allows may be refused with 400: (code, what the message says, why no schema says so).
BEYOND_A_SCHEMA = [
    ("SESSION_CLOSED", r"is closed$", "what may be done depends on what was done before"),
    (".*", r"must be 1 to \d+ bytes", "a schema counts characters, and limits are in bytes"),
    ("INVALID_PARAMS", r"bytes", "the same for a parameter"),
    (".*", r"must be .*a whole number", "a schema takes 1.0 for a whole number, and the server 1 alone"),
    (".*", r"an offset|handed out|the id of an event|cursor", "only what the server has handed out is a position"),
    ("INVALID_PARAMS", r"must not be (before|after) ", "two parameters have to fit each other"),
    ("INVALID_PARAMS", r"must not be sent together", "one of two parameters"),
    ("INVALID_PARAMS", r"^sessionId is required$", "the other one of two parameters"),
    ("INVALID_PRODUCER", r"", "three headers come together, and a new epoch begins at 0"),
    ("PRODUCER_GAP", r"", "a new epoch begins at 0"),
    ("VALIDATION_ERROR", r"\bis required$", "a first event needs more than the update of its row"),
    ("VALIDATION_ERROR", r"a call that has started$", "a result needs its call"),
    ("VALIDATION_ERROR", r"txid must be the same", "items of an array have to fit each other"),
    ("VALIDATION_ERROR", r"sessionId", "an event names the session that it is sent to"),
]


@schemathesis.check
def refuses_what_is_allowed_for_a_reason(ctx, response, case):
    """Holds 400s to the document: what it allows is refused for one of the reasons above only."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    error = json.loads(response.content)["error"]
    for code, message, _ in BEYOND_A_SCHEMA:
        if re.fullmatch(code, error["code"]) and re.search(message, error["message"]):
            return
    raise AssertionError(f"the document allows it, but: {error['code']}: {error['message']}")


load_all_checks()
