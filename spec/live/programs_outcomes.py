"""What became of each line that programs.sh ran, one line each: programs_outcomes.py LOG.

Who sent what to which recipients, how; the parts of messages that all programs have in common. Without a message: which
commands the server heard.
"""
import email, email.policy, json, sys

outcomes, commands = [], []


def text_of(part):
    return part.get_payload(decode=True).decode(part.get_content_charset() or "utf-8").replace("\r\n", "\n").strip()


def outcome_of(record):
    message = email.message_from_bytes(record["data"].replace("\r\r\n", "\r\n").encode(), policy=email.policy.default)
    parts = [part for part in message.walk() if not part.is_multipart()]
    names = "From", "To", "Cc", "Bcc", "Subject", "X-Ticket"
    files = [(part.get_filename(), part.get_content_type(), text_of(part)) for part in parts if part.get_filename()]
    return {
        "envelope": [record["from"]] + record["to"],
        "as": record.get("authenticated"),
        "TLS": record["tls"],
        "headers": {name: str(message[name]) for name in names if message[name]},
        "text": [text_of(part) for part in parts if not part.get_filename()],
        "files": files,
    }


for line in open(sys.argv[1], encoding="utf-8"):
    kind, _, text = line.rstrip("\n").partition(" ")
    if kind == "line":
        commands = []
        outcomes.append([commands])
    elif kind == "C" and text.split()[0] in ("STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT"):
        commands.append(text.split()[0])
    elif kind == "message":
        outcomes[-1].append(outcome_of(json.loads(text)))
for heard, *messages in outcomes:
    print(json.dumps(messages or heard, ensure_ascii=False, sort_keys=True))
