"""Python's smtplib. smtplib.py WORKLOAD PORT COUNT FILE [CA]"""
import sys

sys.path.pop(0)  # this folder has a file of that name
import smtplib
import ssl
from email.message import EmailMessage

name, port, count, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
FROM, TO = 'ann@me.example', 'bob@there.example'


def read():
    with open(path, 'rb') as file:
        return file.read()


def attachment():
    message = EmailMessage()
    message['From'], message['To'], message['Subject'] = FROM, TO, 'see the file'
    message.set_content('see the file')
    message.add_attachment(read(), maintype='application', subtype='octet-stream', filename='file')
    return message


if name in ('new', 'starttls'):
    text = read()
    context = ssl.create_default_context(cafile=sys.argv[5]) if name == 'starttls' else None
    for _ in range(count):
        with smtplib.SMTP('127.0.0.1' if context is None else 'localhost', port, 'me.example') as server:
            if context is not None:
                server.starttls(context=context)
            server.sendmail(FROM, TO, text)
else:
    with smtplib.SMTP('127.0.0.1', port, 'me.example') as server:
        if name == 'attach':
            for _ in range(count):
                server.send_message(attachment())
        elif name == 'dots':
            for _ in range(count):
                server.sendmail(FROM, TO, read())
        elif name == 'rcpts':
            server.sendmail(FROM, ['bob%d@there.example' % i for i in range(1, count + 1)], read())
        else:
            text = read()
            for _ in range(count):
                server.sendmail(FROM, TO, text)
