"""Python's email and smtplib, with dkimpy, led as ours.lua is: python.py WORKLOAD FOLDER [PORT]"""
import email.policy
import smtplib
import sys
import time
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formatdate, make_msgid

kind, _, argument = sys.argv[1].partition(':')
folder = sys.argv[2]
CRLF = email.policy.compat32.clone(linesep='\r\n')


def read(name):
    with open(f'{folder}/{name}', 'rb') as file:
        return file.read()


text = read(argument).decode() if kind == 'text' else 'Hello Bob,\n\nlunch at noon?\n\nAnn\n'
if kind == 'newsletter':
    text, html, image = read('news.txt').decode(), read('news.html').decode(), read('news.png')
key = read(argument + '.pem') if kind == 'newsletter' and argument else None
if key is not None:
    import dkim
    if argument == 'ed25519':  # it takes the 32 octets in base64
        import base64
        key = base64.b64encode(base64.b64decode(b''.join(key.splitlines()[1:-1]))[-32:])


def message():
    """By the older classes, which take half the time of EmailMessage."""
    m = MIMEText(text, 'plain', 'utf-8')
    if kind == 'newsletter':
        picture = MIMEImage(image, 'png', name='logo.png')
        picture['Content-ID'] = '<logo>'
        related = MIMEMultipart('related', _subparts=[MIMEText(html, 'html', 'utf-8'), picture])
        m = MIMEMultipart('alternative', _subparts=[m, related])
    m['From'], m['To'], m['Subject'] = 'Ann Lee <ann@me.example>', 'Bob <bob@there.example>', 'Garden News'
    m['Date'], m['Message-ID'] = formatdate(), make_msgid(domain='me.example')
    return m


def composed():
    data = message().as_bytes(policy=CRLF)
    if key is None:
        return data
    how = b'rsa-sha256' if argument == 'rsa' else b'ed25519-sha256'
    return dkim.sign(data, argument.encode(), b'me.example', key, canonicalize=(b'relaxed', b'relaxed'),
                     signature_algorithm=how) + data


server = smtplib.SMTP('127.0.0.1', int(sys.argv[3]), 'me.example') if len(sys.argv) > 3 else None
for line in sys.stdin:
    before = time.process_time()
    if line.startswith('show '):
        with open(line[5:].strip(), 'wb') as file:
            file.write(composed())
    else:
        for _ in range(int(line)):
            if server is None:
                composed()
            else:
                server.send_message(message())
    print('%.9f' % (time.process_time() - before), flush=True)
