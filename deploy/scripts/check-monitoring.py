#!/usr/bin/env python3
"""What test-monitoring.sh does beside promtool. Only Python's own library is used.

    check-monitoring.py use API PASSWORD                    do a bit of everything with a stand-alone program
    check-monitoring.py compare SCRAPE                      rules, dashboard and document against what the program shows
    check-monitoring.py queries JSON RULES                  the dashboard's queries, as a list and as rules for promtool
    check-monitoring.py older <SCRAPE                       OpenMetrics as the older text that promtool reads
    check-monitoring.py ask PROMETHEUS JSON API PASSWORD    each query, of a Prometheus that reads the program
"""

import base64
import json
import os
import re
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALERTS = os.path.join(ROOT, "deploy/prometheus/alerts.yml")
DASHBOARD = os.path.join(ROOT, "deploy/grafana/lastseen.json")
DOCUMENT = os.path.join(ROOT, "docs/OPERATIONS.md")

NAME = re.compile(r"\blastseen_[a-z0-9_]+\b")
SELECTOR = re.compile(r"\b(lastseen_[a-z0-9_]+)\s*(?:\{([^}]*)\})?")
MATCHER = re.compile(r"([a-z_]+)\s*(=~|!=|!~|=)\s*\"([^\"]*)\"")
SAMPLE = re.compile(r"^([a-z0-9_]+)(?:\{(.*)\})? \S+$")
LABEL = re.compile(r"([a-z_]+)=\"((?:[^\"\\]|\\.)*)\"")
# What Prometheus adds, and what it makes of the label that it has itself.
TARGET = {"job", "instance"}
RENAMED = {"exported_job": "job"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Scrape:
    """What a program shows: each sample's family, and each family's labels with their values."""

    def __init__(self, text):
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        self.family, self.labels = {}, {}
        for name, kind in kinds.items():
            ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"]}.get(kind, [""])
            # As documents call it: a histogram without its ends.
            called = name if kind == "histogram" else name + ends[0]
            self.labels[called] = {}
            for end in ends:
                self.family[name + end] = called
        for line in text.splitlines():
            sample = SAMPLE.match(line)
            if sample and sample[1] in self.family:
                labels = self.labels[self.family[sample[1]]]
                for label, value in LABEL.findall(sample[2] or ""):
                    labels.setdefault(label, set()).add(value)

    def problems(self, expression, where):
        """What an expression names that is not there."""
        for name, matchers in SELECTOR.findall(expression):
            if name not in self.family:
                yield f"{where}: the program shows no {name}"
                continue
            known = self.labels[self.family[name]]
            for label, _, _ in MATCHER.findall(matchers):
                if label not in TARGET and RENAMED.get(label, label) not in known:
                    yield f"{where}: {name} has no label {label}"


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries():
    """The dashboard's queries: where each stands, and what it is."""
    for panel in panels(json.loads(read(DASHBOARD))):
        for target in panel.get("targets", []):
            yield f"panel {panel['title']!r} {target['refId']}", target["expr"]


def filled(expression, rate):
    """A query with Grafana's variables replaced."""
    expression = expression.replace("$__rate_interval", rate).replace("$__range", "10m")
    if "$" in expression:
        sys.exit(f"a variable is left: {expression}")
    return expression


def section(text, heading):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def compare(path):
    scrape, problems = Scrape(read(path)), []
    document, rules = read(DOCUMENT), read(ALERTS)

    table = {}
    for name, labels in re.findall(r"^\| `(lastseen_\w+)` \|(.*?)\|", section(document, "Metrics"), re.MULTILINE):
        table[name] = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", labels)))
    for name, labels in table.items():
        shown = scrape.labels.get(name)
        if shown is None:
            problems.append(f"OPERATIONS.md: the program shows no {name}")
        elif set(shown) - {"le"} != labels:
            problems.append(f"OPERATIONS.md: {name} has the labels {sorted(set(shown) - {'le'})}, not {sorted(labels)}")
    problems += [f"OPERATIONS.md: the table lacks {name}" for name in scrape.labels if name not in table]
    for code in re.findall(r"`([^`]+)`", re.sub(r"^\|.*$", "", document, flags=re.MULTILINE)):
        for name in NAME.findall(code):
            if name not in scrape.family and name not in scrape.labels:
                problems.append(f"OPERATIONS.md: the program shows no {name}")

    problems += scrape.problems(re.sub(r"^\s*#.*$", "", rules, flags=re.MULTILINE), "alerts.yml")
    alerts = re.findall(r"^\s*- alert: (\w+)$", rules, re.MULTILINE)
    entries = re.findall(r"^### (\w+)$", section(document, "Alerts"), re.MULTILINE)
    problems += [f"OPERATIONS.md has no entry for {name}" for name in alerts if name not in entries]
    problems += [f"alerts.yml has no {name}" for name in entries if name not in alerts]
    tests = read(ALERTS.replace("alerts.yml", "alerts.test.yml"))
    problems += scrape.problems("\n".join(re.findall(r"^\s*- series: '(.*)'$", tests, re.MULTILINE)), "alerts.test.yml")
    for name in alerts:
        if f"runbook_url: docs/OPERATIONS.md#{name.lower()}\n" not in rules:
            problems.append(f"alerts.yml: {name} has no runbook_url that leads to its entry")
        if f'alertname="{name}", alertstate="firing"' not in tests:
            problems.append(f"alerts.test.yml: {name} never fires")

    drawn = set()
    for where, expression in queries():
        problems += scrape.problems(expression, where)
        drawn |= {scrape.family.get(name) for name in NAME.findall(expression)}
    problems += [f"the dashboard does not draw {name}" for name in scrape.labels if name not in drawn]
    if problems or not alerts or not table:
        sys.exit("\n".join(problems) or "nothing was found to compare")
    print(f"{len(scrape.labels)} metrics, {len(alerts)} alerts, {len(list(queries()))} queries")


def write_queries(listed, rules):
    found = list(queries())
    with open(listed, "w", encoding="utf-8") as file:
        json.dump(found, file)
    # JSON is YAML.
    named = [{"record": f"query:{n}", "expr": filled(expression, "5m")} for n, (_, expression) in enumerate(found)]
    with open(rules, "w", encoding="utf-8") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": named}]}, file, indent=1)


def older(text):
    ends = {"counter": "_total", "info": "_info"}
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    for line in text.splitlines():
        comment = re.match(r"# (HELP|TYPE) (\S+)(.*)$", line)
        if comment:
            name = comment[2] + ends.get(kinds.get(comment[2]), "")
            rest = " gauge" if comment[3] == " info" else comment[3]
            print(f"# {comment[1]} {name}{rest}")
        elif line != "# EOF":
            print(line)


def ask_api(api, method, path, body=None, token=None, statuses=(200, 201, 202, 204)):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    if status not in statuses:
        sys.exit(f"{method} {path} was answered {status}: {text.decode(errors='replace')}")
    return json.loads(text) if text else None


def open_socket(api, token):
    """Opens a socket, and goes without a word."""
    host, port = urllib.parse.urlsplit(api).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /api/ws/ HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: bearer, {token}"]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = connection.recv(4096)
        if b" 101 " not in answer.split(b"\r\n")[0]:
            sys.exit(f"the socket was refused: {answer!r}")


def use(api, password):
    """Log-ins, heartbeats by both ways, a refusal, a socket, a webhook that nobody hears, and somebody who falls silent."""
    name = f"user-{os.urandom(4).hex()}"
    made = {"username": name, "email": f"{name}@example.org", "password": password}
    ask_api(api, "POST", "/api/users/register/", made)
    logged_in = ask_api(api, "POST", "/api/users/login/", {"username": name, "password": password})
    token = logged_in["access"]
    ask_api(api, "POST", "/api/users/heartbeat/", token=token)
    ask_api(api, "POST", "/api/users/heartbeat/", {"idle_seconds": 1}, token=token)
    ask_api(api, "POST", "/api/users/heartbeat/", token="none", statuses=(401,))
    open_socket(api, token)
    admin = ask_api(api, "POST", "/api/users/login/", {"username": "admin", "password": password})["access"]
    hook = {"url": "http://127.0.0.1:9/", "events": ["*"], "description": "nobody listens there"}
    hook = ask_api(api, "POST", "/api/webhooks/", hook, token=admin)
    ask_api(api, "POST", f"/api/webhooks/{hook['id']}/test/", token=admin)
    for _ in range(100):
        with urllib.request.urlopen(f"{api}/metrics", timeout=10) as answer:
            labels = Scrape(answer.read().decode()).labels
        told = labels.get("lastseen_transitions_total", {}).get("reason", set())
        sweeps = labels.get("lastseen_job_attempts_total", {}).get("job", set())
        if "timeout" in told and "sweep" in sweeps and "lastseen_webhook_attempts_total" in labels:
            break
        time.sleep(0.2)
    else:
        sys.exit("after 20 seconds no time-out, no sweep or no attempt at a webhook is counted")
    ask_api(api, "DELETE", f"/api/webhooks/{hook['id']}/", token=admin)


def get(prometheus, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        # A Prometheus that is just starting.
        if error.code == 503:
            raise
        return sys.exit(f"{parameters}: {error.read().decode(errors='replace')}")


def ask(prometheus, listed, api, password):
    deadline = time.monotonic() + 60
    while True:
        try:
            targets = get(prometheus, "targets")["activeTargets"]
            if targets and all(target["health"] == "up" for target in targets):
                break
        except (OSError, ValueError):
            targets = "it does not answer"
        if time.monotonic() > deadline:
            sys.exit(f"the Prometheus does not read the program: {targets}")
        time.sleep(0.5)
    use(api, password)
    with urllib.request.urlopen(f"{api}/metrics", timeout=10) as answer:
        scrape = Scrape(answer.read().decode())

    def may_be_empty(expression):
        """Whether it asks for a value that no label has had: nothing failed, nobody was too slow."""
        for name, matchers in SELECTOR.findall(expression):
            known = scrape.labels[scrape.family[name]]
            for label, how, value in MATCHER.findall(matchers):
                wanted = {"=": {value}, "=~": set(value.split("|"))}.get(how)
                if wanted and label not in TARGET and not wanted & known.get(RENAMED.get(label, label), set()):
                    return True
        return False

    problems, series = [], 0
    with open(listed, encoding="utf-8") as file:
        found = json.load(file)
    for where, expression in found:
        result = get(prometheus, "query", query=filled(expression, "30s"))["result"]
        # A rate has no answer before the program has been read twice.
        while not result and not may_be_empty(expression) and time.monotonic() < deadline:
            time.sleep(0.5)
            result = get(prometheus, "query", query=filled(expression, "30s"))["result"]
        series += len(result)
        if not result and not may_be_empty(expression):
            problems.append(f"{where} has no answer: {expression}")
    rules = []
    # Until each has been evaluated.
    while not rules or any(rule["health"] == "unknown" for rule in rules) and time.monotonic() < deadline:
        time.sleep(0.5)
        rules = [rule for group in get(prometheus, "rules")["groups"] for rule in group["rules"]]
    for rule in rules:
        if rule["health"] != "ok":
            problems.append(f"{rule['name']} is {rule['health']}: {rule.get('lastError')}")
    # Nor is one to be pending, once the program has run for a while.
    while time.monotonic() < deadline and get(prometheus, "alerts")["alerts"]:
        time.sleep(1)
    problems += [f"{alert['labels']} is {alert['state']}" for alert in get(prometheus, "alerts")["alerts"]]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(found)} queries were answered with {series} series")


def main():
    match sys.argv[1:]:
        case ["use", api, password]:
            use(api, password)
        case ["compare", scrape]:
            compare(scrape)
        case ["queries", listed, rules]:
            write_queries(listed, rules)
        case ["older"]:
            older(sys.stdin.read())
        case ["ask", prometheus, listed, api, password]:
            ask(prometheus, listed, api, password)
        case _:
            sys.exit(__doc__.strip())


if __name__ == "__main__":
    main()
