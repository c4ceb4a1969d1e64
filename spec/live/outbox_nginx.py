#!/usr/bin/env python3
"""Puts messages into an outbox from handlers of nginx, under load, and ends workers meanwhile: each message that was
accepted arrives, once. A server writes down what arrived. `sqlite`: `lua-smtp outbox run` delivers beside nginx;
`redis`: outbox:start delivers in a worker.

   spec/live/outbox_nginx.py sqlite kill 20      one worker killed (SIGKILL) each second, for 20 seconds of load
   spec/live/outbox_nginx.py sqlite hup 20       a new configuration (SIGHUP) each second
   spec/live/outbox_nginx.py redis quit 20       QUIT in the middle, KILL five seconds later, and a new start
   spec/live/outbox_nginx.py redis stop 20       the same, while the server is so slow that KILL is needed

The last line is "STORE NAME: N accepted, N arrived, N lost, N twice, N in doubt (N of these had arrived)".
"""
import collections
import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLIENTS = 8
SETTLE_MAX = 120  # seconds until everything is delivered
LUA = dict(os.environ, LUA_PATH=ROOT + "/lua/?.lua;" + ROOT + "/?.lua;;", LUA_CPATH=ROOT + "/build/lua5.4/?.so;;")

CONF = """
load_module %(modules)s/ndk_http_module.so;
load_module %(modules)s/ngx_http_lua_module.so;
error_log %(folder)s/error.log warn;
pid %(folder)s/nginx.pid;
%(user)s
worker_processes 2;
thread_pool smtp threads=2;
events { worker_connections 128; }
http {
   access_log off;
   client_body_temp_path %(folder)s; proxy_temp_path %(folder)s; fastcgi_temp_path %(folder)s;
   uwsgi_temp_path %(folder)s; scgi_temp_path %(folder)s;
   lua_package_path "%(root)s/lua/?.lua;%(redis_lua)s/?.lua;;";
   lua_package_cpath "%(root)s/build/luajit/?.so;;";
   init_by_lua_block {
      %(store)s
      box = require("smtp").outbox { store = store, name = "load", lease = 5,
         server = { host = "127.0.0.1", port = %(sink)d, tls = "skip" } }
   }
   init_worker_by_lua_block { %(start)s }
   server {
      listen 127.0.0.1:%(port)d;
      location = /put {
         content_by_lua_block {
            ngx.print(box:put({ from = "ann@example.org", to = "bob@example.net", subject = ngx.var.arg_id,
               text = "Hi\\n" }, { id = ngx.var.arg_id }))
         }
      }
   }
}
"""

REDIS = """
      local store = require("smtp.outbox.redis").new { prefix = "load", connect = function()
         local client = require("nginx.redis"):new()
         client:set_timeout(5000)
         local ok, why = client:connect("127.0.0.1", %d)
         return ok and client, why
      end }
"""

# The same outbox, for questions. Arguments: PORT, ACTION
ASK = """
local store = require("smtp.outbox.redis").new { prefix = "load", connect = function()
   return require("spec.tools.resp").connect("127.0.0.1", tonumber(arg[1]))
end }
local box = require("smtp").outbox { store = store, name = "load", server = { host = "127.0.0.1" } }
local given = arg[2] == "list" and { state = "doubt", limit = 10000 } or nil
print(require("smtp.cli.output").json(box[arg[2]](box, given)))
"""

SINK = """
local truth, slow_until = io.open(arg[1], "a"), os.time() + tonumber(arg[2])
local function final() return os.time() < slow_until and "slow 8" or nil end
local sink = require("smtp").sink { keep = 0, faults = { final = final }, on_message = function(message)
   truth:write(message.data:match("Subject: (%S+)"), "\\n")
   truth:flush()
end }
print((select(2, sink:listen())))
io.stdout:flush()
sink:serve()
"""


def shell(command):
    return subprocess.check_output(command, shell=True, text=True).strip()


def read(path):
    with open(path) as file:
        return file.read()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Site:
    """nginx, the server that gets the mail, and the program that delivers."""

    def __init__(self, folder):
        self.folder, self.programs, self.redis, self.runner = folder, [], None, None

    def start_all(self, store, slow_seconds):
        folder = self.folder
        if store == "redis":
            self.start_redis()
        self.truth = folder + "/truth"
        open(self.truth, "w").close()
        with open(folder + "/sink.lua", "w") as file:
            file.write(SINK)
        sink = self.start(["lua5.4", folder + "/sink.lua", self.truth, str(slow_seconds)],
                          stdout=subprocess.PIPE, text=True)
        self.sink = int(sink.stdout.readline())
        self.port = free_port()
        values = dict(folder=folder, root=ROOT, port=self.port, sink=self.sink,
                      user="user root;" if os.getuid() == 0 else "",
                      store=REDIS % self.redis if self.redis else 'local store = "%s/mail.db"' % folder,
                      start="box:start()" if self.redis else "",
                      redis_lua=ROOT + "/build/live/nginx-redis/root/usr/share/lua/5.1",
                      modules=shell("dirname $(dpkg -L libnginx-mod-http-lua | grep -m 1 '_module\\.so$')"))
        with open(folder + "/nginx.conf", "w") as file:
            file.write(CONF % values)
        self.start_nginx()
        if not self.redis:
            command = self.command("run", "--host", "127.0.0.1", "--port", str(self.sink), "--tls", "skip")
            self.runner = self.start(command, stdout=subprocess.DEVNULL)

    def start_redis(self):
        root, ports = shell("cd %s && bash spec/live/redis.sh 1" % ROOT).split("\n")
        shell("cd %s && bash -c '. spec/live/unpacked.sh; unpack nginx-redis lua-nginx-redis'" % ROOT)
        self.redis = int(ports)
        self.start([root + "/usr/bin/redis-server", "--port", ports, "--bind", "127.0.0.1", "--dir", self.folder,
                    "--logfile", self.folder + "/redis.log", "--save", "", "--appendonly", "yes",
                    "--appendfsync", "always"],
                   more_env={"LD_LIBRARY_PATH": shell("echo %s/usr/lib/*-linux-gnu" % root)})
        self.wait_for(self.redis, "redis.log")
        with open(self.folder + "/ask.lua", "w") as file:
            file.write(ASK)

    def start(self, command, more_env=None, **more):
        program = subprocess.Popen(command, env=dict(LUA, **(more_env or {})), **more)
        self.programs.append(program)
        return program

    def command(self, action, *more):
        return ["lua5.4", ROOT + "/csrc/lua-smtp", "outbox", action, "--store", self.folder + "/mail.db", "--name",
                "load", *more]

    def start_nginx(self):
        nginx = os.environ.get("NGINX", "/usr/sbin/nginx")
        self.nginx = self.start([nginx, "-e", self.folder + "/error.log", "-p", self.folder, "-c",
                                 self.folder + "/nginx.conf", "-g", "daemon off;"])
        self.wait_for(self.port, "error.log")

    def wait_for(self, port, log):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("a server did not start: " + read(self.folder + "/" + log))

    def workers(self):
        path = "/proc/%d/task/%d/children" % (self.nginx.pid, self.nginx.pid)
        return [int(pid) for pid in read(path).split()]

    def ask(self, action, *more):
        if self.redis:
            command = ["lua5.4", self.folder + "/ask.lua", str(self.redis), action]
        else:
            command = self.command(action, "--json", *more)
        return json.loads(subprocess.check_output(command, env=LUA))

    def entries_in_doubt(self):
        return [one["id"] for one in self.ask("list", "--state", "doubt", "--limit", "10000")]

    def settle(self):
        limit = time.monotonic() + SETTLE_MAX
        while time.monotonic() < limit:
            stats = self.ask("stats")
            if stats["queued"] + stats["claimed"] + stats["ending"] == 0:
                return
            time.sleep(0.2)
        raise SystemExit("it did not deliver everything: " + str(stats))

    def stop(self):
        for program in reversed(self.programs):
            if program.poll() is None:
                program.terminate()
        for program in self.programs:
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()


class Load:
    """Clients that put messages until the time is over."""

    def __init__(self, port, seconds):
        self.port, self.until = port, time.monotonic() + seconds
        self.accepted, self.failures = set(), 0
        self.threads = [threading.Thread(target=self.put_all, args=(i,), daemon=True) for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def put_all(self, client):
        count, connection = 0, None
        while time.monotonic() < self.until:
            count += 1
            message_id = "c%d-%d" % (client, count)
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/put?id=" + message_id)
                answer = connection.getresponse()
                if answer.read().decode() == message_id and answer.status == 200:
                    self.accepted.add(message_id)
                    continue
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
            self.failures += 1
            time.sleep(0.02)

    def wait(self):
        for thread in self.threads:
            thread.join()


def repeat(until, event):
    """Calls event each second, and once at least."""
    pause = min(1, max(0.2, (until - time.monotonic()) / 3))
    while True:
        time.sleep(pause)
        event()
        if time.monotonic() > until - pause:
            return


def kill(site, until):
    repeat(until, lambda: os.kill(site.workers()[0], signal.SIGKILL))


def hup(site, until):
    repeat(until, lambda: site.nginx.send_signal(signal.SIGHUP))


def quit(site, until):
    time.sleep(max(0.2, (until - time.monotonic()) / 3))
    workers = site.workers()
    site.nginx.send_signal(signal.SIGQUIT)
    try:
        site.nginx.wait(5)
    except subprocess.TimeoutExpired:
        for pid in [site.nginx.pid, *workers]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        site.nginx.wait()
    site.start_nginx()


def run(store, name, seconds):
    with tempfile.TemporaryDirectory(dir=ROOT + "/build") as folder:
        site = Site(folder)
        try:
            site.start_all(store, math.ceil(seconds) if name == "stop" else 0)
            load = Load(site.port, seconds)
            {"kill": kill, "hup": hup, "quit": quit, "stop": quit}[name](site, load.until)
            load.wait()
            site.settle()
            arrived = collections.Counter(read(site.truth).split())
            doubt = site.entries_in_doubt()
            lost = [one for one in load.accepted if one not in arrived and one not in doubt]
            twice = [one for one, times in arrived.items() if times > 1]
            print("%s %s: %d accepted, %d arrived, %d lost, %d twice, %d in doubt (%d of these had arrived)" % (
                store, name, len(load.accepted), sum(arrived.values()), len(lost), len(twice), len(doubt),
                len([one for one in doubt if one in arrived])))
            if len(load.accepted) == 0:
                raise SystemExit("nothing was accepted: " + read(folder + "/error.log")[:2000])
            if site.runner:
                site.runner.terminate()
                if site.runner.wait(30) != 0:
                    raise SystemExit("the runner ended with %d" % site.runner.returncode)
        finally:
            site.stop()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it has started ends with it
run(sys.argv[1], sys.argv[2], float(sys.argv[3]))
