#!/usr/bin/env python3
"""Runs the commands and examples of the documents, so that what they say works.

    docs-commands.py PROGRAM [PAGE...]     without pages README.md, CONTRIBUTING.md and docs/*.md

Each page with something to run has a stand-alone server and an empty folder of its own. Its `sh` blocks are run as one
script, in their order, then its `python` and `js` blocks, a file each. A block must end with 0; an answer of the server's
that is a problem must have been announced. The line before a block may say

    <!-- not run: WHY -->           it is left out
    <!-- expected: 401 -->          these problems are what it shows; several with spaces between

Whatever else is a program (`ts`, `tsx`, `bash` and so on) is never run and must say why. PROGRAM is lastseen-api.
Addresses of the server on port 8000, or of a worker on 8001, become those of the server that was started; `lastseen-api`
is PROGRAM.
"""

import glob
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = ("sh", "python", "js")
PROGRAMS = RUN + ("bash", "shell", "console", "ts", "tsx", "jsx", "mjs", "py", "typescript", "javascript")
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([A-Za-z0-9_+-]*)")
NOT_RUN = re.compile(r"^<!-- not run: (.+?) -->$")
EXPECTED = re.compile(r"^<!-- expected: ([0-9 ]+) -->$")
ADDRESS = re.compile(r"\b(?:localhost|127\.0\.0\.1):800[01]\b")
PASSWORD = "correct horse battery staple"
LIMIT = 60  # seconds, for a script or a file

# Examples that go on for ever do so for SECONDS here. Times are short, so that heartbeats, the end of an access token and the
# sweep come within that. (A page of shell commands alone uses one token all along, so theirs live longer.)
TIMES = {
    "SECONDS": "7",
    "LASTSEEN_HEARTBEAT_INTERVAL": "1s",
    "LASTSEEN_INACTIVITY_TIMEOUT": "4s",
    "LASTSEEN_SWEEP_CRON": "* * * * * *",
    "LASTSEEN_BCRYPT_COST": "4",
    "LASTSEEN_ADMIN_PASSWORD": PASSWORD,
}

# What a page takes for granted: it shows single calls, of somebody who is logged in already.
GIVEN = {
    "docs/API.md": """
json='Content-Type: application/json'
log_in() {
  curl -s http://localhost:8000/api/users/login/ -H "$json" -d "{\\"username\\":\\"$1\\",\\"password\\":\\"$2\\"}" |
    sed 's/.*"access":"\\([^"]*\\)".*/\\1/'
}
curl -s -o made http://localhost:8000/api/users/register/ -H "$json" \\
  -d '{"username":"reader","email":"reader@example.org","password":"correct horse battery"}'
token=$(log_in reader 'correct horse battery') admin=$(log_in admin "$LASTSEEN_ADMIN_PASSWORD")
"""
}

CURL = """#!/usr/bin/env bash
# curl, which notes answers that are problems.
headers=$(mktemp "$NOTES/headers.XXXXXX") rc=0
{curl} -D "$headers" "$@" || rc=$?
if grep -qi '^content-type: application/problem+json' "$headers"; then
  printf '%s %s\\n' "${{here:-0}}" "$(tac "$headers" | sed -n 's|^HTTP/[^ ]* \\([0-9]*\\).*|\\1|p' | head -n 1)" >>"$NOTES/problems"
fi
exit $rc
"""


class Block:
    def __init__(self, page, line, language, text, before):
        self.page, self.line, self.language, self.text = page, line, language, text
        not_run, expected = NOT_RUN.match(before), EXPECTED.match(before)
        self.why_not = not_run[1] if not_run else None
        self.expected = sorted(expected[1].split()) if expected else []

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(page):
    found, fence, before = [], None, ""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            mark = FENCE.match(line)
            if fence is None and mark:
                fence, start, language, text = mark[1], number, mark[2].lower(), []
            elif fence is not None and mark and mark[1].startswith(fence) and line.strip() == mark[1]:
                if language in PROGRAMS:
                    found.append(Block(page, start, language, "".join(text), before))
                fence, before = None, ""
            elif fence is not None:
                text.append(line)
            else:
                before = line.strip()
    return found


class Server:
    """The stand-alone program, with its data in `folder`."""

    def __init__(self, program, folder, access_ttl):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        self.log = os.path.join(folder, "server.log")
        own = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
        settings = {
            "DATABASE_URL": f"sqlite://{folder}/data/lastseen.db",
            "LASTSEEN_ACCESS_TTL": access_ttl,
            "LASTSEEN_BIND": f"127.0.0.1:{self.port}",
            "LASTSEEN_WEBHOOK_ALLOW_PRIVATE": "false",
            "RUST_LOG": "warn",
        }
        os.mkdir(os.path.join(folder, "data"))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, "standalone"], cwd=folder, env=own | TIMES | settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_until_ready(self):
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            sys.exit(f"The server did not start:\n{log.read()}")

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(command, folder, environment):
    """Its exit code and what it said. It has a group of its own, so that all of it can be ended."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            code = f"no end within {LIMIT} seconds"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        said.seek(0)
        return code, said.read().decode(errors="replace")


def node():
    """The command that runs a JavaScript file with a WebSocket, or why there is none."""
    program = shutil.which("node")
    if program is None:
        return None, "Node.js is not installed"
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    major = int(version.strip().lstrip("v").split(".")[0])
    if major >= 22:
        return [program], None
    return ([program, "--experimental-websocket"], None) if major >= 20 else (None, "Node.js is older than 20")


def run_page(program, page, to_run):
    """Problems, each a text; and how many blocks were left out for want of a program."""
    problems, left_out = [], 0
    folder = tempfile.mkdtemp(prefix="lastseen-docs-")
    notes, tools, work = (os.path.join(folder, name) for name in ("notes", "tools", "work"))
    for name in (notes, tools, work):
        os.mkdir(name)
    with open(os.path.join(tools, "curl"), "w", encoding="utf-8") as file:
        file.write(CURL.format(curl=shlex.quote(shutil.which("curl") or "/usr/bin/curl")))
    os.chmod(file.name, 0o755)
    os.symlink(program, os.path.join(tools, "lastseen-api"))
    server = Server(program, folder, "10m" if all(block.language == "sh" for block in to_run) else "5s")
    try:
        server.wait_until_ready()
        # What the caller's own installation is set to is none of the examples' business.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("LASTSEEN_", "DATABASE_URL", "REDIS_URL"))}
        environment = own | TIMES | {"NOTES": notes, "PATH": f"{tools}:{os.environ['PATH']}"}

        def save(name, text):
            path = os.path.join(work, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(ADDRESS.sub(f"127.0.0.1:{server.port}", text))
            return path

        shell = [block for block in to_run if block.language == "sh"]
        if shell:
            script = "set -euo pipefail\nexport here=0\ntrap 'echo \"(in the block at line $here)\" >&2' ERR\n" + GIVEN.get(page, "")
            script += "".join(f"\nhere={block.line}\n{block.text}" for block in shell)
            code, said = run(["bash", save("page.sh", script)], work, environment)
            if code != 0:
                problems.append(f"{page}: a command failed ({code}):\n{said}")
            noted = {}
            if os.path.exists(os.path.join(notes, "problems")):
                with open(os.path.join(notes, "problems"), encoding="utf-8") as file:
                    for line in file:
                        where, status = line.split()
                        noted.setdefault(int(where), []).append(status)
            for where, statuses in noted.items():
                block = next((block for block in shell if block.line == where), None)
                if block is None or sorted(statuses) != block.expected:
                    problems.append(f"{page}:{where}: the server answered with problems: {', '.join(statuses)}\n{said}")
            for block in shell:
                if code == 0 and block.expected and block.line not in noted:
                    problems.append(f"{block}: expected problems: {', '.join(block.expected)}, and there was none")
        for number, block in enumerate(to_run):
            if block.language == "python":
                command = [sys.executable, "-W", "error", save(f"example{number}.py", block.text)]
            elif block.language == "js":
                command, why = node()
                if command is None:
                    print(f"not run: {block}: {why}")
                    left_out += 1
                    continue
                command = command + [save(f"example{number}.mjs", block.text)]
            else:
                continue
            code, said = run(command, work, environment)
            if code != 0:
                problems.append(f"{block}: failed ({code}):\n{said}")
            elif os.environ.get("SHOW"):
                print(f"{block} said:\n{said}")
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)
    return problems, left_out


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.strip())
    # A signal ends the server, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    program = os.path.abspath(sys.argv[1])
    pages = sys.argv[2:] or ["README.md", "CONTRIBUTING.md"] + sorted(
        os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "docs", "*.md"))
    )
    ran, marked, problems = 0, 0, []
    for page in pages:
        found = blocks(page)
        to_run = []
        for block in found:
            if block.why_not:
                print(f"not run: {block}: {block.why_not}")
                marked += 1
            elif block.language not in RUN:
                problems.append(f"{block}: {block.language} is not run here: say why in a comment on the line before")
            else:
                to_run.append(block)
        if to_run:
            started = time.monotonic()
            failed, left_out = run_page(program, page, to_run)
            problems += failed
            ran += len(to_run) - left_out
            marked += left_out
            print(f"{page}: {len(to_run) - left_out} run, in {time.monotonic() - started:.1f} s")
    for problem in problems:
        print(problem)
    print(f"{ran} commands and examples run, {marked} not run, {len(problems)} problems.")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
