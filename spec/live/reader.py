"""Reads composed messages with the email package and compares with what was put in."""
import email
import email.header
import email.policy
import email.utils
import re
import sys

folder, count = sys.argv[1], int(sys.argv[2])


def values(data):
    at = 0
    while at < len(data):
        colon = data.index(b":", at)
        size = int(data[at:colon])
        yield data[colon + 1:colon + 1 + size]
        at = colon + 1 + size


def normal(text):
    return re.sub("\r\n|\r|\n", "\n", text)


class Different(Exception):
    pass


def same(what, got, wanted):
    if got != wanted:
        raise Different("%s: %s, and not %s" % (what, repr(got)[:500], repr(wanted)[:500]))


def check_lines(raw):
    head, _, _ = raw.partition(b"\r\n\r\n")
    if re.search(rb"[^\r]\n|\r[^\n]", raw):
        raise Different("a bare CR or LF")
    if re.search(rb"[\x80-\xff\0]", raw):
        raise Different("an octet that is not 7-bit")
    for line in raw.split(b"\r\n"):
        if len(line) > 998:
            raise Different("a line of %d octets" % len(line))
        # A word of a header, and a file name in quotes, is never cut.
        if len(line) > 78 and not re.fullmatch(rb"([!-9;-~]+:)? [^ ]+| (file)?name=\"[^;]*\"", line):
            raise Different("a line over 78: %r" % line)


def addresses_of(text):
    """With names by email.header: the newer parser of 3.11 puts a space between two encoded words."""
    pairs = email.utils.getaddresses([re.sub("\r?\n(?=[ \t])", "", text)])
    return [(str(email.header.make_header(email.header.decode_header(n))), a) for n, a in pairs]


def parts_of(message):
    text = html = None
    files = []
    for part in message.walk():
        if part.is_multipart():
            continue
        if part.get_content_type() == "application/x-test":
            files.append(part)
        elif part.get_content_type() == "text/plain" and text is None:
            text = part
        elif part.get_content_type() == "text/html" and html is None:
            html = part
    return text, html, files


def check(raw, wanted):
    check_lines(raw)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    take = lambda: next(wanted)
    word = lambda: take().decode()
    same("subject", str(message["subject"]), word())
    # The blanks at the ends of these values are not part of them.
    same("X-Words", str(message["x-words"]), word().strip(" \t"))
    long_name = "X-A-Header-Whose-Name-Is-Rather-Long-And-Fills-Most-Of-The-Line-By-Itself"
    same("X-A-Header", str(message[long_name]), word().strip(" \t"))
    to_count = int(take())
    old = email.message_from_bytes(raw)
    found = addresses_of(old["from"]) + addresses_of(old["to"])
    same("addresses", len(found), to_count + 1)
    for name, address in found:
        same("name", name, word())
        same("address", address, word())
    same("addresses", [one.addr_spec for one in message["to"].addresses], [a for _, a in found[1:]])
    text, html, files = parts_of(message)
    for name, part in (("text", text), ("html", html)):
        given, value = take() == b"1", word()
        if given:
            got = normal(part.get_payload(decode=True).decode())
            same(name, got.rstrip("\n"), normal(value).rstrip("\n"))
        elif name == "html":
            same("html", part, None)
    same("attachments", len(files), int(take()))
    by_name = [(p.get_filename(), p.get_payload(decode=True), p["content-id"]) for p in files]
    old_names = [p.get_filename() for p in parts_of(old)[2]]
    found_names = []
    given = []
    for _ in files:
        given.append((word().strip(), take(), word()))  # get_filename strips as well
    given.sort()
    by_name = sorted((n, c, str(i)[1:-1] if i else "") for n, c, i in by_name)
    same("files", by_name, given)
    same("files of the older reader", sorted(old_names), sorted(n for n, _, _ in given))


for i in range(1, count + 1):
    raw = open("%s/%d.eml" % (folder, i), "rb").read()
    try:
        check(raw, values(open("%s/%d.txt" % (folder, i), "rb").read()))
    except Exception as trouble:
        print("%s/%d.eml: %s: %s" % (folder, i, type(trouble).__name__, trouble))
        sys.exit(1)
print("%d messages read" % count)
