"""README's session with curl, by a client that was generated from the API document, and by nothing else.

    session.py BASE

Where an answer is not what README and the document say, it ends with an AssertionError.
"""

import sys
from datetime import datetime, timedelta
from http import HTTPStatus

from lastseen_generated import AuthenticatedClient, Client
from lastseen_generated.api.operations import operations_config, operations_metrics, operations_ready
from lastseen_generated.api.presence import presence_changes
from lastseen_generated.api.sessions import sessions_heartbeat, sessions_log_in, sessions_log_out, sessions_register
from lastseen_generated.api.users import users_list
from lastseen_generated.models import (
    ChangesAnswer,
    ConfigAnswer,
    HeartbeatAnswer,
    HeartbeatBody,
    LoginAnswer,
    LoginBody,
    MeAnswer,
    ProblemBody,
    ReadyAnswer,
    RegisterBody,
    UsersAnswer,
    UsersListOnlineStatus,
)

base = sys.argv[1]
ann_password, bob_password = "correct horse battery", "through the looking-glass"


def answered(response, status, kind):
    """What was answered, which is of this status and, as it was parsed, of this type."""
    assert response.status_code == status, (response.status_code, response.content)
    assert isinstance(response.parsed, kind), (type(response.parsed), response.content)
    # Nothing that the document does not have.
    assert not getattr(response.parsed, "additional_properties", None), response.parsed.additional_properties
    return response.parsed


def refused(response, status, code, field=None):
    problem = answered(response, status, ProblemBody)
    assert (problem.code, problem.status) == (code, status), problem
    assert problem.type_ == f"urn:lastseen:problem:{code}", problem
    assert (problem.field or None) == field, problem
    assert problem.title and problem.detail, problem


def log_in(name, password, device):
    body = LoginBody(username=name, password=password, device=device)
    answer = answered(sessions_log_in.sync_detailed(client=anyone, body=body), 200, LoginAnswer)
    assert (answer.user.username, answer.user.online_status, answer.user.reason) == (name, "online", "login"), answer
    return answer, AuthenticatedClient(base_url=base, token=answer.access)


with Client(base_url=base) as anyone:
    config = answered(operations_config.sync_detailed(client=anyone), 200, ConfigAnswer)
    assert answered(operations_ready.sync_detailed(client=anyone), 200, ReadyAnswer).status == "ready"
    assert "lastseen_build_info" in answered(operations_metrics.sync_detailed(client=anyone), 200, str)

    # Two people register.
    for name, password in [("ann", ann_password), ("bob", bob_password)]:
        body = RegisterBody(username=name, email=f"{name}@example.org", password=password)
        user = answered(sessions_register.sync_detailed(client=anyone, body=body), 201, MeAnswer).user
        assert (user.username, user.email, user.role, user.status) == (name, body.email, "user", "active"), user
        assert user.online_status == "offline" and user.last_seen is None and user.reason is None, user
        assert isinstance(user.created_at, datetime) and user.created_at.utcoffset() == timedelta(), user

    # What is refused says so, as the document has it.
    refused(sessions_register.sync_detailed(client=anyone, body=body), 409, "username_taken", "username")
    weak = RegisterBody(username="eve", email="eve@example.org", password="short")
    refused(sessions_register.sync_detailed(client=anyone, body=weak), 422, "weak_password", "password")
    wrong = LoginBody(username="ann", password=bob_password)
    refused(sessions_log_in.sync_detailed(client=anyone, body=wrong), 401, "invalid_credentials")
    nobody = AuthenticatedClient(base_url=base, token="none")
    refused(users_list.sync_detailed(client=nobody), 401, "token_invalid")

    # Ann logs in, and sends a heartbeat.
    answer, ann = log_in("ann", ann_password, "laptop")
    ann_id = answer.user.id
    assert answer.heartbeat_interval_seconds == config.heartbeat_interval_seconds, answer
    for body in [HeartbeatBody(), HeartbeatBody(idle_seconds=0)]:
        alive = answered(sessions_heartbeat.sync_detailed(client=ann, body=body), 200, HeartbeatAnswer)
        assert alive.online_status == "online", alive
        timeout = timedelta(seconds=answer.inactivity_timeout_seconds)
        assert alive.online_until - alive.last_seen == timeout, alive

    # Bob logs in, and asks who is online.
    answer, bob = log_in("bob", bob_password, "phone")
    page = answered(users_list.sync_detailed(client=bob, online_status=UsersListOnlineStatus.ONLINE), 200, UsersAnswer)
    assert [user.username for user in page.users] == ["ann", "bob"], page
    assert (page.total, page.online, page.next_cursor) == (2, 2, None), page
    assert all(user.online_status == "online" and isinstance(user.last_seen, datetime) for user in page.users), page
    refused(users_list.sync_detailed(client=bob, cursor="asleep"), 400, "invalid_cursor", "cursor")

    # A page at a time: all of them, each once.
    names, cursor = [], {}
    while cursor is not None:
        page = answered(users_list.sync_detailed(client=bob, limit=1, **cursor), 200, UsersAnswer)
        names += [user.username for user in page.users]
        cursor = {"cursor": page.next_cursor} if page.next_cursor else None
    assert names == ["admin", "ann", "bob"], names

    # He keeps a cursor.
    changes = answered(presence_changes.sync_detailed(client=bob), 200, ChangesAnswer)
    assert changes.transitions == [], changes
    refused(presence_changes.sync_detailed(client=bob, since="nonsense"), 400, "invalid_cursor", "since")

    # Ann logs out, and Bob asks again.
    response = sessions_log_out.sync_detailed(client=ann)
    assert (response.status_code, response.content) == (HTTPStatus.NO_CONTENT, b""), response
    refused(sessions_heartbeat.sync_detailed(client=ann), 401, "session_ended")
    changes = answered(presence_changes.sync_detailed(client=bob, since=changes.next_cursor), 200, ChangesAnswer)
    [change] = [change for change in changes.transitions if change.presence.user_id == ann_id]
    assert (change.presence.online_status, change.presence.reason) == ("offline", "logout"), change
    assert change.presence.online_until is None and isinstance(change.at, datetime), change
    page = answered(users_list.sync_detailed(client=bob, search="ann"), 200, UsersAnswer)
    [found] = page.users
    assert (found.username, found.online_status, found.reason) == ("ann", "offline", "logout"), found
    assert found.last_seen == change.presence.last_seen, (found, change)
