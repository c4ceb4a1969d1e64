"""What dkimpy thinks of each signature of each message: one line a message, "selector=pass" or
"selector=fail" for each signature from top to bottom, or "unreadable".

   dkim_verify.py ZONE MESSAGE ...     ZONE: lines of a name, a space, the TXT record
"""
import re
import sys

import dkim
import nacl.signing  # noqa: F401  without it dkimpy has no Ed25519

zone = {}
with open(sys.argv[1], encoding="ascii") as lines:
    for line in lines:
        name, record = line.rstrip("\n").split(" ", 1)
        zone[name.encode() + b"."] = record.encode()


def verdict(message, index):
    try:
        return "pass" if message.verify(idx=index, dnsfunc=lambda name, timeout: zone.get(name)) else "fail"
    except dkim.DKIMException:
        return "fail"


for path in sys.argv[2:]:
    try:
        with open(path, "rb") as file:
            message = dkim.DKIM(file.read())
    except dkim.MessageFormatError:
        print("unreadable")
        continue
    selectors = [re.search(rb"[\s;]s=([^;\s]+)", value).group(1).decode()
                 for name, value in message.headers if name.lower() == b"dkim-signature"]
    print(" ".join(s + "=" + verdict(message, i) for i, s in enumerate(selectors)))
