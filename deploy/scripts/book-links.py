#!/usr/bin/env python3
"""A preprocessor of mdBook's: a link to a file outside of docs/ becomes that file's path, since the book does not have it.

Where LASTSEEN_REPOSITORY is an address such as https://example.org/lastseen/blob/main, it becomes a link to there. A link to
a README.md leads to what mdBook makes of it, an index.
"""

import json
import os
import posixpath
import re
import sys

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
LINK = re.compile(r"\[([^\[\]]+)\]\((?![a-z]+:|#)([^()\s]+)\)")
REPOSITORY = os.environ.get("LASTSEEN_REPOSITORY", "").rstrip("/")


def outside(text, at):
    def instead(found):
        path, _, fragment = found[2].partition("#")
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(at), path))
        if path.startswith("docs/"):
            return re.sub(r"\bREADME\.md(?=[)#])", "index.md", found[0]) if path.endswith("/README.md") else found[0]
        if REPOSITORY:
            return f"[{found[1]}]({REPOSITORY}/{path}{'#' + fragment if fragment else ''})"
        return f"`{path}`" if found[1] == path else f"{found[1]} (`{path}`)"

    lines, fence = [], None
    for line in text.split("\n"):
        mark = FENCE.match(line)
        if fence is None:
            fence = mark[1] if mark else None
        elif mark and line.strip().startswith(fence):
            fence = None
        lines.append(line if fence else None)
    # A link's text may go over the end of a line: what is between fences is taken as a whole.
    out, prose = [], []

    def flush():
        if prose:
            out.append(LINK.sub(instead, "\n".join(prose)))
            prose.clear()

    for line, fenced in zip(text.split("\n"), lines):
        if fenced is None:
            prose.append(line)
        else:
            flush()
            out.append(line)
    flush()
    return "\n".join(out)


def walk(items):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            chapter["content"] = outside(chapter["content"], chapter.get("source_path") or chapter.get("path") or "")
            walk(chapter["sub_items"])


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    _, book = json.load(sys.stdin)
    walk(book.get("items") or book.get("sections") or [])
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
