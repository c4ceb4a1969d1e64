"""An SMTP server for the specs inside nginx: many connections at once, in a process of its own.

server.py LOG CONFIG: prints its port and its process id. LOG gets a line for all that happens, each
with the number of its connection. CONFIG is JSON:
  caps      what EHLO offers; later_caps: to the second connection and later
                                              auth      {user: password}, for AUTH PLAIN
  tls       "starttls" or "implicit"          cert, key, tls_max ("1.2")
  inject    text behind the 220 of STARTTLS   surplus   text behind the reply to a message
                                              queued    that reply
  hang_up   "message": closes after it; "goodbye": says 421 first; "reset": by RST
  cut       {verb: reply without a line end, before it closes}
  slow      {verb: seconds before its reply}
  refuse    {verb: reply}                     split     true: each byte of a reply by itself
  rcpt_limit  recipients in a transaction       rcpt_errors  refused ones, before it says 421
  address   that it listens at, 127.0.0.1 by default
  buffers   size of its buffers, in octets     long      octets of each reply to RCPT
  early     {"after": octets, "reply": text}: amid a message, and then it reads no more
  fast      true: messages are not looked at  quiet     true: nothing is logged
"""
import base64
import functools
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

log_lock = threading.Lock()
log_file = open(sys.argv[1], "a", buffering=1)
config = json.loads(sys.argv[2])


def log(number, text):
    if config.get("quiet"):
        return
    with log_lock:
        log_file.write(f"{number} {text}\n")


@functools.lru_cache  # one for all connections: sessions resume within it
def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config["cert"], config["key"])
    if config.get("tls_max") == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if config.get("tls_min") == "1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if config.get("client_ca"):
        context.load_verify_locations(config["client_ca"])
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Over(Exception):
    pass


class Connection:
    def __init__(self, sock, number):
        self.sock, self.number, self.buffer = sock, number, b""
        self.secure = self.user = False
        self.recipients = self.refused = 0

    def say(self, text):
        data = text.replace("\n", "\r\n").encode() + b"\r\n"
        if config.get("split"):
            for i in range(len(data)):
                self.sock.sendall(data[i:i + 1])
        else:
            self.sock.sendall(data)

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise Over
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def swallow(self):
        """Without a look at it, but for its end."""
        length, tail = len(self.buffer), self.buffer[-5:]
        while tail != b"\r\n.\r\n":
            data = self.sock.recv(1048576)
            if not data:
                raise Over
            length += len(data)
            tail = (tail + data)[-5:]
        self.buffer = b""
        return length, "-"

    def message(self):
        if config.get("fast"):
            return self.swallow()
        end = b"\r\n.\r\n"
        digest, length, tail = hashlib.sha256(), 0, b"\r\n"
        data, self.buffer = self.buffer, b""
        while True:
            at = (tail + data).find(end)
            if at >= 0:
                stop = at + len(end) - len(tail)
                digest.update(data[:stop])
                self.buffer = data[stop:]
                return length + stop, digest.hexdigest()
            digest.update(data)
            length += len(data)
            tail = (tail + data)[-4:]
            data = self.sock.recv(262144)
            if not data:
                log(self.number, f"cut after {length}")
                raise Over

    def start_tls(self):
        try:
            self.sock = tls_context().wrap_socket(self.sock, server_side=True)
        except (ssl.SSLError, OSError) as why:
            log(self.number, f"no tls: {why}")
            raise Over
        self.secure, self.user, self.buffer = True, False, b""
        log(self.number, f"tls {self.sock.version()} {self.sock.session_reused}")

    def hello(self):
        name = "later_caps" if self.number > 1 and "later_caps" in config else "caps"
        lines = ["mx.example"] + list(config.get(name, ["PIPELINING", "SIZE 50000000"]))
        if config.get("tls") == "starttls" and not self.secure:
            lines.append("STARTTLS")
        if config.get("auth"):
            lines.append("AUTH PLAIN")
        self.say("\n".join("250" + ("-" if i < len(lines) - 1 else " ") + text
                           for i, text in enumerate(lines)))

    def auth(self, line):
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        good = config.get("auth", {}).get(user) == password
        log(self.number, f"auth {user} {'good' if good else 'bad'}")
        self.user = good and user
        self.say("235 2.7.0 welcome" if good else "535 5.7.8 no")

    def hang_up(self):
        how = config.get("hang_up")
        if not how:
            return
        time.sleep(0.05)
        if how == "goodbye":
            self.say("421 4.4.2 idle for too long")
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over

    def early(self):
        left = config["early"]["after"] - len(self.buffer)
        while left > 0:
            left -= len(self.sock.recv(min(left, 65536)))
        self.say(config["early"]["reply"])
        log(self.number, "early")
        time.sleep(30)
        raise Over

    def data(self):
        self.say("354 go")
        if config.get("early"):
            self.early()
        length, digest = self.message()
        log(self.number, f"message {length} {digest} from {self.user or 'nobody'}")
        self.sock.sendall((config.get("queued", "250 2.0.0 queued") + "\r\n" + config.get("surplus", "")).encode())
        self.hang_up()

    def recipient(self):
        self.recipients += 1
        if self.recipients <= config["rcpt_limit"]:
            self.say("250 ok")
            return
        self.say("452 4.5.3 too many")
        self.refused += 1
        if self.refused >= config.get("rcpt_errors", 1000000):
            self.say("421 4.7.0 too many errors")
            raise Over

    def serve(self):
        if config.get("tls") == "implicit":
            self.start_tls()
        self.say("220 mx.example hi")
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            log(self.number, "C " + (line if verb != "AUTH" else "AUTH"))
            time.sleep(config.get("slow", {}).get(verb, 0))
            if verb in config.get("cut", {}):
                self.sock.sendall(config["cut"][verb].encode())
                raise Over
            if verb in config.get("refuse", {}):
                self.say(config["refuse"][verb])
            elif verb == "EHLO":
                self.hello()
            elif verb == "STARTTLS":
                self.sock.sendall(b"220 go\r\n" + config.get("inject", "").encode())
                self.start_tls()
            elif verb == "AUTH":
                self.auth(line)
            elif verb == "DATA":
                self.data()
            elif verb == "RCPT" and "rcpt_limit" in config:
                self.recipient()
            elif verb == "RCPT" and config.get("long"):
                text = "250 2.1.5 " + "x" * 490
                self.say("\n".join([text.replace("250 ", "250-")] * (config["long"] // 500 - 1) + [text]))
            elif verb == "QUIT":
                self.say("221 bye")
                raise Over
            else:
                self.recipients = 0
                self.say("250 ok")

    def run(self):
        log(self.number, "open")
        try:
            self.serve()
        except Over:
            pass
        except OSError as why:
            log(self.number, f"error {why!r}")
        log(self.number, "over")
        self.sock.close()


def main():
    address = config.get("address", "127.0.0.1")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family, backlog=512)
    if config.get("buffers"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, config["buffers"])
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, config["buffers"])
        # Segments larger than a window wait for timers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    print(listener.getsockname()[1], os.getpid(), flush=True)
    number = 0
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number += 1
        threading.Thread(target=Connection(sock, number).run, daemon=True).start()


main()
