"""aiosmtpd with a port of each kind; it keeps each message for each of its recipients under /var/boxes."""
import asyncio
import itertools
import os
import ssl
import sys

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

certs = sys.argv[1]
plain, submission, smtps, lmtp = map(int, sys.argv[2:6])
numbers = itertools.count(1)


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certs + "/good.pem", certs + "/good.key")
    return made


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=data == LoginPassword(b"ann", b"sesame"), handled=False)


class Boxes:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.8 not this one"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such box"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        name = "%09d" % next(numbers)
        for address in envelope.rcpt_tos:
            box = "/var/boxes/%s/new" % address.split("@")[0]
            os.makedirs(box, exist_ok=True)
            with open("/var/boxes/" + name, "wb") as file:
                file.write(envelope.original_content.replace(b"\r\n", b"\n"))
            os.rename("/var/boxes/" + name, box + "/" + name)
        # LMTP has a reply for each recipient.
        return "\r\n".join(["250 2.0.0 kept"] * (len(envelope.rcpt_tos) if isinstance(server, LMTP) else 1))


async def main():
    loop = asyncio.get_running_loop()

    async def listen(port, kind=SMTP, tls=None, **more):
        await loop.create_server(lambda: kind(Boxes(), hostname="mx.live.example", data_size_limit=20000000,
                                              enable_SMTPUTF8=True, loop=loop, **more),
                                 "127.0.0.1", port, ssl=tls)

    await listen(submission, tls_context=context(), require_starttls=True, auth_required=True, authenticator=login)
    await listen(smtps, tls=context(), auth_required=True, auth_require_tls=False, authenticator=login)
    await listen(plain)
    await listen(lmtp, kind=LMTP)
    await asyncio.Event().wait()

asyncio.run(main())
