"""Prints the texts of the messages that users can get, as the sources have them: what is filled in is an ellipsis, and what
stands behind "; " is left out, being the cure."""
import glob
import re
import sys

# The functions that take a message, with the place of its text among their arguments.
PLACE = {"fail": 1, "fail_at": 2, "fail_proto": 2, "fail_attr": 3, "usage_error": 0, "message_warn": 1, "refuse": 2, "wrong": 2}
# What only a mistake of resnetcc's own, or a graph written by hand, brings about.
LEFT_OUT = ("graph/parse.c", "ops/verify.c")
LITERAL = r'"(?:[^"\\]|\\.)*"'


def arguments(text, at):
    """Those of the call whose parenthesis ends before `at`."""
    found, depth, start = [], 1, at
    while depth:
        c = text[at]
        if c == '"':
            at = re.compile(LITERAL).match(text, at).end()
            continue
        if c == "'":
            at += 4 if text[at + 1] == "\\" else 3
            continue
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 or (depth == 1 and c == ","):
            found.append(text[start:at])
            start = at + 1
        at += 1
    return found


def texts(argument):
    """One literal of several pieces, or several of which one is chosen."""
    for pieces in re.findall(r"(?:%s\s*)+" % LITERAL, argument):
        yield "".join(p[1:-1] for p in re.findall(LITERAL, pieces))


def shown(text):
    text = text.replace('\\"', '"').split("; ")[0]
    text = re.sub(r"%[-+0-9.*]*(?:ll|z|t)?[a-z]", "…", text)
    return re.sub(r"(…)(?:…)+", "…", text).replace("%%", "%").strip()


def messages(path):
    text = open(path, encoding="utf-8").read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for m in re.finditer(r"\b(%s)\(" % "|".join(PLACE), text):
        args = arguments(text, m.end())
        if len(args) > PLACE[m[1]] and not re.search(r"\bconst char \*", args[PLACE[m[1]]]):
            yield from texts(args[PLACE[m[1]]])
    for m in re.finditer(r"\berror = (?:format_text\([^\"]*)?(%s)" % LITERAL, text):
        yield from texts(m[1])
    if path.endswith(("sniff.c", "operators.c")):
        yield from (t for t in texts(text) if re.match(r"(is|makes|cuts|draws|works|decodes) ", t))


def main(folder):
    found = set()
    for path in glob.glob(folder + "/**/*.c", recursive=True):
        if not path.endswith(LEFT_OUT):
            found |= {shown(t) for t in messages(path)}
    for text in sorted(found):
        if re.search("[a-z]{3}", text) and not text.startswith("internal error"):
            print(text)


main(sys.argv[1])
