"""A server that reads one message at so many bytes a second: slow_server.py RATE. Prints its port."""
import socket, sys, time

rate = float(sys.argv[1])
listener = socket.socket()
listener.settimeout(20)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
listener.bind(("127.0.0.1", 0))
listener.listen(1)
print(listener.getsockname()[1], flush=True)
peer = listener.accept()[0]
stream = peer.makefile("rb")


def say(text):
    peer.sendall(text.encode() + b"\r\n")


say("220 hi")
while True:
    line = stream.readline()
    if line.startswith(b"EHLO"):
        say("250-hi\r\n250 SIZE 100000000")
    elif line.startswith(b"DATA"):
        say("354 go")
        began, count = time.monotonic(), 0
        while line != b".\r\n" and line:
            line = stream.readline()
            count += len(line)
            early = count / rate - (time.monotonic() - began)
            if early > 0.01:
                time.sleep(early)
        say("250 ok")
    elif line.startswith(b"QUIT") or not line:
        say("221 bye")
        break
    else:
        say("250 ok")
