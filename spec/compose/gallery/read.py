"""Reads the messages of a folder with Python's email package: read.py FOLDER HEADER…"""
import email
import email.header
import email.policy
import email.utils
import glob
import os
import re
import sys


def show(key, value):
    if value is None:
        return
    data = value if isinstance(value, bytes) else value.encode()
    text = "".join(chr(c) if 32 <= c < 127 and c != 92 else "\\x%02x" % c for c in data)
    print(f"{key}\t{text}")


def words(text):
    return str(email.header.make_header(email.header.decode_header(text)))


def unfolded(text):
    return re.sub("\r?\n(?=[ \t])", "", text)


def addresses(message, name):
    """By email.header: the newer parser of Python 3.11 puts a blank between two encoded words."""
    pairs = email.utils.getaddresses([unfolded(str(value)) for value in message.get_all(name, [])])
    return "; ".join(f"{words(name)}|{address}" if name else address for name, address in pairs if address)


def is_leaf(part):
    return not part.is_multipart() or part.get_content_maintype() == "message"


def structure(part):
    if is_leaf(part):
        return part.get_content_type()
    return "%s(%s)" % (part.get_content_subtype(), " ".join(map(structure, part.get_payload())))


def leaves(part):
    return [part] if is_leaf(part) else [leaf for child in part.get_payload() for leaf in leaves(child)]


def show_part(number, part):
    show(f"{number}.type", part.get_content_type())
    show(f"{number}.charset", part.get_content_charset())
    show(f"{number}.disposition", part.get_content_disposition())
    show(f"{number}.name", part.get_filename())
    name = part.get_param("name")
    if name is not None:
        show(f"{number}.plain name", words(email.utils.collapse_rfc2231_value(name)))
    show(f"{number}.id", part["content-id"] and str(part["content-id"]).strip()[1:-1])
    show(f"{number}.method", part.get_param("method"))
    if part.is_multipart():
        show(f"{number}.content", part.get_payload(0).as_bytes(policy=email.policy.SMTP))
    else:
        show(f"{number}.content", part.get_payload(decode=True))


def show_message(raw):
    text = raw.decode()  # a header may have UTF-8 (RFC 6532), a body never
    message = email.message_from_string(text, policy=email.policy.default)
    old = email.message_from_string(text)
    show("subject", message["subject"] and str(message["subject"]))
    for name in "from", "sender", "reply-to", "to", "cc":
        show(name, addresses(old, name))
    show("date", str(int(email.utils.parsedate_to_datetime(message["date"]).timestamp())))
    for name in "message-id", "in-reply-to", "references":
        show(name, old[name] and unfolded(old[name]).strip())
    for name in sys.argv[2:]:
        if old[name] is not None:
            show("header " + name, words(unfolded(old[name])))
    show("structure", structure(old))
    for number, part in enumerate(leaves(old), 1):
        show_part(number, part)


for path in sorted(glob.glob(sys.argv[1] + "/*.eml")):
    print("= " + os.path.basename(path))
    with open(path, "rb") as file:
        show_message(file.read())
