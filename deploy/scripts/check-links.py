#!/usr/bin/env python3
"""Holds the links of every Markdown file in the repository against what is there.

    check-links.py              the Markdown files that git has or would take
    check-links.py --html DIR   the HTML files of a built book instead

A link to a file must lead to one that git has or would take, and one to a heading to a heading of that name, as GitHub
names them. Links to other hosts are not followed: they are counted. Only Python's own library is used.
"""

import html.parser
import os
import re
import subprocess
import sys
import unicodedata
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
# A text may hold brackets, as that of a picture which is a link does; an address may hold parentheses.
LINK = re.compile(r"\]\(\s*(<[^>]*>|(?:[^\s()]|\([^\s()]*\))*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
ATTRIBUTE = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)[\"']", re.IGNORECASE)
NAMED = re.compile(r"<[a-z]+\b[^>]*?\b(?:id|name)=[\"']([^\"']+)[\"']", re.IGNORECASE)
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


def prose(text):
    """The text with fenced blocks and comments emptied, line for line."""
    lines, fence = [], None
    for line in text.split("\n"):
        mark = FENCE.match(line)
        if fence is None and mark:
            fence = mark[1]
            lines.append("")
        elif fence is not None:
            if mark and mark[1].startswith(fence) and line.strip() == mark[1]:
                fence = None
            lines.append("")
        else:
            lines.append(line)
    return re.sub(r"<!--.*?-->", lambda found: "\n" * found[0].count("\n"), "\n".join(lines), flags=re.DOTALL)


def without_code(text):
    return CODE.sub(lambda found: " " * len(found[0]), text)


def anchor(heading):
    """What GitHub calls a heading: what is shown of it in lower case, letters, digits, marks, `_` and `-` alone, with `-` for a space."""
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    shown = re.sub(r"(?<![\w`])[*_]{1,3}(?=\S)(.+?)(?<=\S)[*_]{1,3}(?![\w`])", r"\1", shown)
    shown = re.sub(r"<[^>]+>", "", shown) if "`" not in shown else shown
    kept = [c for c in shown.strip().lower() if c in " -_" or unicodedata.category(c)[0] in "LNM" or unicodedata.category(c) == "Pc"]
    return "".join(kept).replace(" ", "-")


def anchors(text):
    found, times = set(), {}
    for line in prose(text).split("\n"):
        heading = HEADING.match(line)
        if heading:
            name = anchor(heading[2])
            count = times.get(name, 0)
            times[name] = count + 1
            found.add(f"{name}-{count}" if count else name)
    return found | set(NAMED.findall(without_code(prose(text))))


def links(text):
    """Each link's line and address."""
    body = without_code(prose(text))
    for pattern in (LINK, DEFINITION, ATTRIBUTE):
        for found in pattern.finditer(body):
            yield body.count("\n", 0, found.start()) + 1, found[1].strip("<>")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_markdown():
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout.split("\0")
    files = {name for name in listed if name and os.path.exists(os.path.join(ROOT, name))}
    folders = {"."}
    for name in files:
        while os.path.dirname(name):
            name = os.path.dirname(name)
            folders.add(name)
    pages = sorted(name for name in files if name.endswith(".md"))
    names, problems, followed, elsewhere = {}, [], 0, 0
    for page in pages:
        for line, address in sorted(links(read(os.path.join(ROOT, page)))):
            if SCHEME.match(address):
                elsewhere += 1
                continue
            followed += 1
            path, _, fragment = urllib.parse.unquote(address).partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if path.startswith("/") or target not in files | folders:
                problems.append(f"{page}:{line}: {address} leads to no file of the repository")
            elif fragment and target.endswith(".md"):
                if target not in names:
                    names[target] = anchors(read(os.path.join(ROOT, target)))
                if fragment not in names[target]:
                    problems.append(f"{page}:{line}: {address}: {target} has no heading #{fragment}")
    return len(pages), followed, elsewhere, problems


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.names, self.links, self.base = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.names.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        if tag == "base":
            self.base = attributes.get("href") or ""
        link = attributes.get("href") if tag in ("a", "link") else attributes.get("src")
        if link:
            self.links.append((self.getpos()[0], link))


def check_html(folder):
    pages = {}
    for at, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".html"):
                path = os.path.relpath(os.path.join(at, name), folder)
                pages[path] = Page(read(os.path.join(folder, path)))
    problems, followed, elsewhere = [], 0, 0
    for name, page in sorted(pages.items()):
        if page.base:  # The page for what is not found stands at any address.
            continue
        for line, address in page.links:
            if SCHEME.match(address):
                elsewhere += not address.startswith(("data:", "javascript:"))
                continue
            followed += 1
            path, _, fragment = urllib.parse.unquote(address).partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(name), path.partition("?")[0])) if path else name
            if os.path.isdir(os.path.join(folder, target)):
                target = os.path.normpath(os.path.join(target, "index.html"))
            if not os.path.exists(os.path.join(folder, target)):
                problems.append(f"{name}:{line}: {address} leads to no file of the book")
            elif fragment and target in pages and fragment not in pages[target].names:
                problems.append(f"{name}:{line}: {address}: {target} has no place #{fragment}")
    return len(pages), followed, elsewhere, problems


def main():
    if sys.argv[1:2] == ["--html"] and len(sys.argv) == 3:
        kind, (pages, followed, elsewhere, problems) = "HTML", check_html(sys.argv[2])
    elif not sys.argv[1:]:
        kind, (pages, followed, elsewhere, problems) = "Markdown", check_markdown()
    else:
        sys.exit(__doc__.strip())
    for problem in problems:
        print(problem)
    print(
        f"{pages} {kind} files: {followed} links within the repository followed, {len(problems)} lead nowhere;"
        f" {elsewhere} links to other hosts not followed."
    )
    sys.exit(1 if problems or not pages else 0)


if __name__ == "__main__":
    main()
