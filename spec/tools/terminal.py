"""Runs a command at a terminal of its own: terminal.py COLUMNS STEP... -- COMMAND...

Steps, in order: expect:TEXT waits until the terminal shows it; type:TEXT types it (\\r, \\n and \\x03
as in Python); signal:TERM sends a signal; wait:SECONDS; echo notes whether the terminal echoes;
size:COLUMNS resizes it;
connected:PORT waits until a connection to this port is established, as Linux shows it.
At the end: what the terminal showed, then one line "status N, echo on" (or off), with what echo noted.
"""
import fcntl, os, select, signal, struct, subprocess, sys, termios, time

cut = sys.argv.index("--")
columns, steps, command = int(sys.argv[1]), sys.argv[2:cut], sys.argv[cut + 1:]
ours, theirs = os.openpty()
os.environ.update(TERM="xterm", NO_COLOR="1")


def resize(columns):
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


resize(columns)


def attach():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=attach)
shown, at, notes = b"", 0, []


def read(seconds):
    global shown
    if select.select([ours], [], [], seconds)[0]:
        shown += os.read(ours, 65536)
        return True
    return False


def echo():
    return "on" if termios.tcgetattr(theirs)[3] & termios.ECHO else "off"


def is_connected(port):
    for name in "/proc/net/tcp", "/proc/net/tcp6":
        with open(name) as table:
            for line in table:
                remote, state = line.split()[2:4]
                if state == "01" and remote.endswith(":%04X" % port):
                    return True
    return False


def take(step):
    global at
    kind, _, text = step.partition(":")
    if kind == "expect":
        deadline = time.monotonic() + 60
        while text.encode() not in shown[at:]:
            if time.monotonic() > deadline or process.poll() is not None and not read(0):
                return False
            read(0.05)
        at = shown.index(text.encode(), at) + len(text.encode())
    elif kind == "type":
        os.write(ours, text.encode().decode("unicode_escape").encode("latin-1"))
    elif kind == "signal":
        process.send_signal(getattr(signal, "SIG" + text))
    elif kind == "wait":
        end = time.monotonic() + float(text)
        while time.monotonic() < end:
            read(0.01)
    elif kind == "connected":
        deadline = time.monotonic() + 60
        while not is_connected(int(text)):
            if time.monotonic() > deadline or process.poll() is not None:
                return False
            read(0.02)
    elif kind == "size":
        resize(int(text))
    elif kind == "echo":
        notes.append(echo())
    return True


for one in steps:
    if not take(one):
        notes.append("no " + one)
        process.kill()
        break
deadline = time.monotonic() + 30
while process.poll() is None and time.monotonic() < deadline:
    read(0.05)
if process.poll() is None:
    process.kill()
    notes.append("killed")
while read(0):
    pass
status = process.wait()
sys.stdout.buffer.write(shown)
print("\nstatus %d, echo %s %s" % (status if status >= 0 else 128 - status, echo(), " ".join(notes)))
