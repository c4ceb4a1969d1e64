"""A server that reads one message at so many bytes a second: slow_server.py RATE [CUT]. Prints its port.
It closes the connection after CUT bytes of the message."""
import socket, sys, time

rate, cut = float(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else float("inf")
listener = socket.socket()
listener.settimeout(20)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
listener.bind(("127.0.0.1", 0))
listener.listen(1)
print(listener.getsockname()[1], flush=True)
peer = listener.accept()[0]
stream = peer.makefile("rb")


def say(text):
    try:
        peer.sendall(text.encode() + b"\r\n")
    except BrokenPipeError:
        sys.exit()


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
            if count > cut:
                sys.exit()
            early = count / rate - (time.monotonic() - began)
            if early > 0.01:
                time.sleep(early)
        say("250 ok")
    elif line.startswith(b"QUIT") or not line:
        say("221 bye")
        break
    else:
        say("250 ok")
