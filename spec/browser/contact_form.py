"""examples/contact-form in a real browser: Debian's chromium, nginx, and the library's sink.

contact_form.py [DESCRIPTION …]: runs the checks, or those whose description holds one of the
arguments. A line for each, then: N passed, N failed. Screenshots are in build/contact-form; it wants
build/luajit (make LUA=luajit).
"""
import email
import email.policy
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

from webdriver import Browser, WebDriverError, free_port

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, "build", "contact-form")
NAME, ADDRESS = "Jörg „Ö“ Müller, jr.", "joerg.mueller@example.org"
SUBJECT = "Grüße & <b>Küsse</b> 🌻"
MESSAGE = ("Guten Tag,\n\n  „Äpfel & Öl\" kosten 5 € – <script>alert('x')</script> {{token}}\n"
           ".\n.ein Punkt, 🎉 und 👩‍👩‍👧.\nFrom here, it's fine\n")
PASSWORD = "sesame-never-shown"
TAB, ENTER = "\ue004", "\ue007"


def wait(done, what, seconds=5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = done()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("never happened: " + what)


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def stop(process):
    if process.poll() is None:
        process.terminate()
    process.wait(5)


class Mail:
    """The sink; see sink.lua."""

    def __init__(self):
        self.port, self.folder = free_port(), os.path.join(BUILD, "mail")
        self.process = None

    def start(self, mood=""):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "mood"), "w") as file:
            file.write(mood)
        environment = dict(os.environ, LUA_PATH=f"{ROOT}/lua/?.lua;;",
                           LUA_CPATH=f"{ROOT}/build/luajit/?.so;;")
        self.process = subprocess.Popen(
            ["luajit", f"{ROOT}/spec/browser/sink.lua", str(self.port), self.folder],
            stdout=subprocess.PIPE, env=environment)
        assert self.process.stdout.readline() == b"ready\n"

    def stop(self):
        if self.process:
            stop(self.process)
            self.process = None

    def all(self):
        names = glob.glob(os.path.join(self.folder, "*.eml"))
        return [open(name, "rb").read() for name in
                sorted(names, key=lambda name: int(re.search(r"(\d+)\.eml$", name)[1]))]

    def only(self):
        """-> envelope sender, recipients, message"""
        found = self.all()
        assert len(found) == 1, f"{len(found)} messages"
        sender, to, text = found[0].split(b"\r\n", 2)
        return sender, to, email.message_from_bytes(text, policy=email.policy.SMTP)

    def connections(self):
        try:
            with open(os.path.join(self.folder, "connections")) as file:
                return int(file.read())
        except FileNotFoundError:
            return 0


class Site:
    def __init__(self, mail, **settings):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = os.path.join(BUILD, f"site-{self.port}.log")
        environment = dict(
            os.environ, PORT=str(self.port), SMTP_HOST="127.0.0.1", SMTP_PORT=str(mail.port),
            SMTP_TLS="skip", SMTP_USER="", SMTP_PASSWORD="", MAIL_FROM="Contact form <www@site.example>",
            MAIL_TO="us@site.example")
        environment.update(settings)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([f"{ROOT}/examples/contact-form/run"], stdout=log,
                                            stderr=log, env=environment)
        wait(lambda: self.process.poll() is not None or is_open(self.port), "nginx listens")
        assert self.process.poll() is None, self.said()

    def said(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def stop(self):
        stop(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Visitor:
    """A client without a browser, for what no browser sends."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    def __init__(self, site):
        self.site, self.cookie, self.token = site, None, None
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), self.Stay)

    def ask(self, path="", data=None, method=None):
        request = urllib.request.Request(self.site.url + path, data, method=method)
        if self.cookie:
            request.add_header("Cookie", self.cookie)
        try:
            response = self.opener.open(request, timeout=30)
        except urllib.error.HTTPError as answer:
            response = answer
        text = response.read().decode(errors="replace")
        if response.headers["Set-Cookie"]:
            self.cookie = response.headers["Set-Cookie"].split(";")[0]
        token = re.search(r'name="token" value="([^"]+)"', text)
        if token:
            self.token = token[1]
        return response.status, response.headers, text

    def send(self, **more):
        """Opens the form and sends it, with these fields in place of good ones."""
        self.ask()
        return self.post(**more)

    def post(self, **more):
        fields = {"name": "Ann", "email": "ann@example.org", "subject": "", "message": "Hello",
                  "website": "", "token": self.token}
        fields.update(more)
        data = {name: value for name, value in fields.items() if value is not None}
        return self.ask(data=urllib.parse.urlencode(data).encode())


class World:
    """What the checks share: started once, the mail server anew for each."""

    def __init__(self):
        os.makedirs(BUILD, exist_ok=True)
        for name in glob.glob(os.path.join(BUILD, "site-*.log")):
            os.remove(name)
        self.mail = Mail()
        self.browser = self.site = None

    def open(self):
        self.browser = Browser()
        self.browser.size(800, 900)
        self.mail.start()
        self.site = Site(self.mail, CONTACT_LIMIT="1000")

    def close(self):
        if self.browser:
            self.browser.close()
        if self.site:
            self.site.stop()
        self.mail.stop()


checks = []


def check(description):
    def note(function):
        checks.append((description, function))
        return function
    return note


def fill(browser, site, name=NAME, address=ADDRESS, subject=SUBJECT, message=MESSAGE):
    browser.open(site.url)
    for text in (name, address, subject, message):
        browser.tab()
        browser.insert(text)


def press_send(browser):
    browser.find("button").follow()


def typed(browser):
    return [browser.find("#" + name).value for name in ("name", "email", "subject", "message")]


def assert_kept(browser):
    assert typed(browser) == [NAME, ADDRESS, SUBJECT, MESSAGE], typed(browser)


def assert_arrived(mail):
    sender, to, message = mail.only()
    assert (sender, to) == (b"www@site.example", b"us@site.example"), (sender, to)
    assert message["From"] == "Contact form <www@site.example>", message["From"]
    answer = message["Reply-To"].addresses
    assert [(one.display_name, one.addr_spec) for one in answer] == [(NAME, ADDRESS)], answer
    assert message["Subject"] == "[Contact] " + SUBJECT, message["Subject"]
    text = message.get_payload(decode=True).decode()
    assert text == MESSAGE.replace("\n", "\r\n"), repr(text)


def assert_confirmed(browser):
    assert browser.find("h1").text == "Thank you", browser.find("main").text
    assert "/sent?id=" in browser.url


def notice(browser):
    found = browser.find("#notice")
    assert found.role == "alert", found.role
    return found.text


def assert_explained(world, heading, *words):
    text = notice(world.browser)
    assert text.startswith(heading + "\n"), text
    for one in words:
        assert one in text, text
    assert world.browser.title == heading + " – Write to us", world.browser.title
    assert_kept(world.browser)


# ---- the good end ----

@check("a message is sent exactly as it was typed, and confirmed")
def _(world):
    fill(world.browser, world.site)
    press_send(world.browser)
    assert_confirmed(world.browser)
    assert_arrived(world.mail)


@check("to reload the confirmation sends nothing")
def _(world):
    fill(world.browser, world.site)
    press_send(world.browser)
    for _ in range(2):
        world.browser.reload()
        assert_confirmed(world.browser)
    world.mail.only()


@check("a form that comes twice, or twice at once, is sent once")
def _(world):
    visitor = Visitor(world.site)
    visitor.ask()
    data = urllib.parse.urlencode({"name": "Ann", "email": "ann@example.org", "message": "Hello",
                                   "token": visitor.token}).encode()
    head = (f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {visitor.cookie}\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(data)}\r\n\r\n")
    both = [socket.create_connection(("127.0.0.1", world.site.port)) for _ in range(2)]
    for sock in both:
        sock.sendall(head.encode() + data)
    for sock in both:
        with sock, sock.makefile("rb") as file:
            answer = file.read()
            assert answer.startswith(b"HTTP/1.1 303 ") and b"\r\nLocation: /sent?id=" in answer, answer
    status, headers, _ = visitor.post(token=visitor.token)
    assert status == 303 and headers["Location"].startswith("/sent?id="), status
    world.mail.only()


@check("without JavaScript all of it is the same")
def _(world):
    browser = world.browser
    browser.javascript(False)
    try:
        browser.open("data:text/html,<title>off</title><script>document.title='on'</script>")
        assert browser.title == "off", "JavaScript is on"
        fill(browser, world.site, address="a..b@example.org")
        press_send(browser)
        assert "One thing has to be changed" in notice(browser)
        browser.find("#email").insert(ADDRESS)
        press_send(browser)
        assert_confirmed(browser)
        assert_arrived(world.mail)
    finally:
        browser.javascript(True)


@check("with the keyboard alone it can be filled in and sent")
def _(world):
    browser = world.browser
    browser.open(world.site.url)
    order = []
    for _ in range(5):
        browser.press(TAB)
        order.append(browser.focused().attribute("id") or browser.focused().role)
        assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert order == ["name", "email", "subject", "message", "button"], order
    for name, text in (("name", NAME), ("email", ADDRESS), ("message", "Hello")):
        browser.find("#" + name).type(text)
    browser.press(TAB)
    browser.press(ENTER)
    wait(lambda: "/sent" in browser.url, "the confirmation")
    world.mail.only()


# ---- the mail server says no ----

@check("a recipient refused for good: explained, to try again is not advised, all is kept")
def _(world):
    world.mail.start("rcpt 550 5.1.1 nobody here")
    fill(world.browser, world.site)
    press_send(world.browser)
    assert_explained(world, "Your message was not sent", "trying again will not help", "in another way")
    assert "nobody here" not in world.browser.find("main").text
    assert "contact form: smtp: " in world.site.said() and "550 5.1.1" in world.site.said()
    assert world.mail.all() == []


@check("a recipient refused for now: explained, and sent when it is tried again")
def _(world):
    world.mail.start("rcpt 451 4.3.0 later")
    fill(world.browser, world.site)
    press_send(world.browser)
    assert_explained(world, "Your message was not sent", "try again in a few minutes")
    world.mail.start()
    press_send(world.browser)
    assert_confirmed(world.browser)
    assert_arrived(world.mail)


@check("nobody listens: explained, and to reload sends when somebody does")
def _(world):
    world.mail.stop()
    fill(world.browser, world.site)
    press_send(world.browser)
    assert_explained(world, "Your message was not sent", "try again in a few minutes")
    world.mail.start()
    world.browser.reload()
    assert_confirmed(world.browser)
    assert_arrived(world.mail)


@check("the text refused: explained as that")
def _(world):
    world.mail.start("final 554 5.7.1 spam")
    fill(world.browser, world.site)
    press_send(world.browser)
    assert_explained(world, "Your message was not sent", "refused the text")


@check("no answer to the message: the doubt is told, and to reload sends nothing")
def _(world):
    world.mail.start("final drop")
    fill(world.browser, world.site)
    press_send(world.browser)
    assert_explained(world, "Your message may have arrived", "we may get it twice")
    wait(lambda: world.mail.connections() == 1, "the connection is over")
    world.mail.start()
    world.browser.reload()
    assert_explained(world, "Your message may have arrived")
    assert world.mail.connections() == 0
    press_send(world.browser)
    assert_confirmed(world.browser)
    assert_arrived(world.mail)


@check("each failure has its status, and says when to try again")
def _(world):
    for mood, wanted, after in (("rcpt 550 5.1.1 no", 502, None), ("mail 451 4.3.0 no", 503, "120"),
                                ("data drop", 503, None), ("final drop", 502, None)):
        world.mail.start(mood)
        status, headers, _ = Visitor(world.site).send()
        assert (status, headers["Retry-After"]) == (wanted, after), (mood, status, headers)


# ---- what was typed is wrong ----

@check("empty fields: an error at each, linked from above, and nothing sent")
def _(world):
    browser = world.browser
    browser.open(world.site.url)
    browser.run("document.forms[0].noValidate = true")
    press_send(browser)
    assert "3 things have to be changed" in notice(browser)
    assert browser.focused().attribute("id") == "notice"
    links = browser.find_all("#notice a")
    assert len(links) == 3
    for link, name in zip(links, ("name", "email", "message")):
        field = browser.find("#" + name)
        assert field.attribute("aria-invalid") == "true"
        assert name + "-error" in field.attribute("aria-describedby").split()
        assert browser.find(f"#{name}-error").text == link.text != ""
        link.click()
        browser.press(TAB) # a link moves where Tab goes on from
        assert browser.url.endswith("#" + name)
    assert not browser.find("#subject").attribute("aria-invalid")
    assert world.mail.connections() == 0


@check("an empty form is stopped by the browser already")
def _(world):
    world.browser.open(world.site.url)
    world.browser.find("button").click()
    assert world.browser.focused().attribute("id") == "name"
    assert world.browser.find_all("#notice") == []


@check("an address that only the library refuses: explained, all else kept")
def _(world):
    fill(world.browser, world.site, address="a..b@example.org")
    press_send(world.browser)
    assert "no e-mail address that mail can be sent to" in notice(world.browser)
    assert typed(world.browser) == [NAME, "a..b@example.org", SUBJECT, MESSAGE]
    assert world.mail.connections() == 0


@check("an address in other letters is taken where the mail server can, and explained where not")
def _(world):
    with Site(world.mail) as site:
        assert Visitor(site).send(email="ann@exämple.org")[0] == 303
        status, _, text = Visitor(site).send(email="änn@example.org")
        assert status == 422 and "letters like ä" in text, (status, text)


@check("whatever is wrong with a field is said in words")
def _(world):
    cases = (
            ("name", "x" * 101, "may have 100 characters, and has 101"),
            ("name", "Ann\0", "The name holds a line break, or another"),
            ("name", b"\xff\xfe", "The name holds a line break, or another"),
            ("email", "ann", "no complete e-mail address"),
            ("email", "ann@exä@mple.org", "no complete e-mail address"),
            ("email", "a@b.org, c@d.org", "no complete e-mail address"),
            ("email", "a@b.org\r\nBcc: c@d.org", "no complete e-mail address"),
            ("email", "<a@b.org>", "no e-mail address that mail can be sent to"),
            ("subject", "é" * 151, "may have 150 characters, and has 151"),
            ("subject", "a\rb", "The subject holds a line break"),
            ("message", " \r\n\t", "Write a message."),
            ("message", "€" * 5001, "may have 5000 characters, and has 5001"),
            ("message", "a\0b", "The message holds a line break, or another"),
            ("website", "http://x", "A hidden field was filled in"))
    with Site(world.mail) as site:
        for field, value, words in cases:
            status, _, text = Visitor(site).send(**{field: value})
            assert status == 422 and words in text, (field, value, status, text)
    assert world.mail.connections() == 0


@check("the longest message that is allowed is sent")
def _(world):
    text = "🎉" * 4999 + "\r\n"
    status, _, page = Visitor(world.site).send(message=text)
    assert status == 303, page
    assert world.mail.only()[2].get_payload(decode=True).decode() == text


# ---- attacks ----

@check("a name with a line break is refused in words, and nothing sent")
def _(world):
    for field in ("name", "subject"):
        for value in ("Ann\r\nBcc: victim@example.net", "Ann\nBcc: victim@example.net"):
            status, _, text = Visitor(world.site).send(**{field: value})
            assert status == 422, status
            assert f"The {field} holds a line break" in text, text
            assert 'role="alert"' in text and "Bcc: victim@example.net" in text
    assert world.mail.connections() == 0


@check("a form that is not ours is refused, what it holds is kept, and nothing sent")
def _(world):
    with Site(world.mail) as site:
        ours, other = Visitor(site), Visitor(site)
        other.ask()
        ours.ask()
        ends, number, mac = ours.token.split(".")
        for token in (None, "", "x", other.token, f"{int(ends) + 1}.{number}.{mac}",
                      f"{ends}.{number}.{mac[:-1]}-", f"{ends}.{'0' * 32}.{mac}", f"{ends}.{number}."):
            status, _, text = ours.post(token=token, message="kept <i>as is</i>")
            assert status == 403 and "Your message was not sent" in text, (token, status)
            assert "kept &lt;i&gt;as is&lt;/i&gt;</textarea>" in text, text
        ours.ask()
        ours.cookie = None
        assert ours.post()[0] == 403
        assert world.mail.connections() == 0


@check("a form that is too old is refused")
def _(world):
    import base64
    import hashlib
    import hmac
    with Site(world.mail, CONTACT_KEY="0123456789abcdef") as site:
        visitor = Visitor(site)
        for ends, wanted in ((int(time.time()) - 2, 403), (int(time.time()) + 60, 303)):
            visitor.ask()
            text = f"{visitor.cookie.split('=')[1]}.{ends}.{'a' * 32}"
            mac = hmac.new(b"0123456789abcdef", text.encode(), hashlib.sha1).digest()
            code = base64.b64encode(mac).decode().rstrip("=")
            status, _, _ = visitor.post(token=f"{ends}.{'a' * 32}.{code}")
            assert status == wanted, (ends, status)


@check("the cookie is for this site alone, and the headers forbid what is not needed")
def _(world):
    _, headers, text = Visitor(world.site).ask()
    cookie = headers["Set-Cookie"].split("; ")
    assert re.fullmatch(r"contact_form=[0-9a-f]{32}", cookie[0]), cookie
    assert cookie[1:] == ["Path=/", "HttpOnly", "SameSite=Lax"], cookie
    policy = headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy, policy
    assert "unsafe" not in policy and "script" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "<script" not in text and "style=" not in text


@check("the fourth message within the time is refused with 429, in words, and all is kept")
def _(world):
    with Site(world.mail) as site:
        for _ in range(3):
            assert Visitor(site).send()[0] == 303
        status, headers, _ = Visitor(site).send()
        assert status == 429 and 590 < int(headers["Retry-After"]) <= 600, (status, headers)
        fill(world.browser, site)
        press_send(world.browser)
        text = notice(world.browser)
        assert "3 messages came from your connection" in text and "in 10 minutes" in text, text
        assert_kept(world.browser)
        assert len(world.mail.all()) == 3


@check("after the time is over it goes on")
def _(world):
    with Site(world.mail, CONTACT_LIMIT="1", CONTACT_WINDOW="1") as site:
        visitor = Visitor(site)
        assert visitor.send()[0] == 303
        status, headers, _ = visitor.send()
        assert status == 429 and headers["Retry-After"] == "1", (status, headers)
        time.sleep(1.1)
        assert visitor.post()[0] == 303
        assert len(world.mail.all()) == 2


@check("what was not sent does not count")
def _(world):
    with Site(world.mail) as site:
        world.mail.start("rcpt 451 4.3.0 later")
        for _ in range(4):
            assert Visitor(site).send()[0] == 503
        world.mail.start()
        assert Visitor(site).send(name="a\rb")[0] == 422
        assert [Visitor(site).send()[0] for _ in range(4)] == [303, 303, 303, 429]


@check("a flood is stopped before Lua, with a page that can be read")
def _(world):
    with Site(world.mail) as site:
        visitor = Visitor(site)
        visitor.ask()
        found = [visitor.post(name="") for _ in range(35)]
        assert [one[0] for one in found[:31]] == [422] * 31, found
        status, headers, text = found[-1]
        assert status == 429 and "Too many requests" in text and headers["Retry-After"] == "60"
        assert visitor.ask()[0] == 200


@check("too much, an unknown page and a wrong method are pages that can be read")
def _(world):
    visitor = Visitor(world.site)
    for (path, data, method), status, words in (
            (("", b"x" * 100000, "POST"), 413, "This is too much"),
            (("nothing", None, "GET"), 404, "no such page"),
            (("", b"", "DELETE"), 405, "This did not work"),
            (("problem", None, "GET"), 404, "no such page")):
        found, headers, text = visitor.ask(path, data, method)
        assert found == status and words in text, (found, status, text)
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert visitor.ask("sent?id=1")[0] == 303
    assert visitor.ask("sent")[0] == 303


@check("a secret is neither in a page nor in the log")
def _(world):
    with Site(world.mail, SMTP_USER="ann", SMTP_PASSWORD=PASSWORD) as site:
        status, _, text = Visitor(site).send()
        assert status == 502 and "trying again will not help" in text, text
        wait(lambda: "does not offer AUTH" in site.said(), "the reason is logged")
        for secret in (PASSWORD, "ann@example.org", "Hello"):
            assert secret not in site.said(), site.said()
        assert PASSWORD not in text


@check("without its settings it does not start, and names what is missing")
def _(world):
    for name in ("MAIL_FROM", "MAIL_TO"):
        try:
            Site(world.mail, **{name: ""}).stop()
        except AssertionError as why:
            assert f"the variable {name} has to be set" in str(why), why
        else:
            raise AssertionError("it started")


# ---- for everybody ----

@check("each field has its name, and hints and errors are read with it")
def _(world):
    browser = world.browser
    browser.open(world.site.url)
    assert browser.find("html").attribute("lang") == "en"
    for name, label in (("name", "Your name"), ("email", "Your e-mail address"),
                        ("subject", "Subject (optional)"), ("message", "Your message")):
        field = browser.find("#" + name)
        assert field.label == label and field.role == "textbox", (field.label, field.role)
    assert browser.find("button").label == "Send message"
    assert [one.label for one in browser.find_all("fieldset")] == ["About you", "What it is about"]
    trap = browser.find("#website")
    assert trap.role == "none" or browser.find(".trap").attribute("aria-hidden") == "true"
    assert len(browser.find_all("h1")) == 1 and len(browser.find_all("main")) == 1


CONTRAST = """
function luminance(colour) {
   const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(function (part) {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
   });
   return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
}
function contrast(a, b) {
   const one = luminance(a), other = luminance(b);
   return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
function ground(node) {
   const colour = getComputedStyle(node).backgroundColor;
   return colour === 'rgba(0, 0, 0, 0)' ? ground(node.parentElement) : colour;
}
return Array.from(document.querySelectorAll('main *')).filter(function (node) {
   return node.offsetWidth > 0;
}).map(function (node) {
   const style = getComputedStyle(node);
   return [node.outerHTML.slice(0, 60), contrast(style.color, ground(node)),
      /^(INPUT|TEXTAREA)$/.test(node.tagName)
         ? contrast(style.borderTopColor, ground(node.parentElement)) : 21];
});
"""


@check("it can be read in light and dark (4.5 to 1), and fits into 320 pixels")
def _(world):
    browser = world.browser
    try:
        for scheme, width in (("dark", 800), ("light", 320)):
            browser.devtools("Emulation.setEmulatedMedia",
                             features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.size(width, 900)
            browser.open(world.site.url)
            browser.run("document.forms[0].noValidate = true")
            browser.find("#name").insert("W" * 100)
            press_send(browser)
            assert browser.run("return document.documentElement.scrollWidth") == width
            found = browser.run(CONTRAST)
            assert len(found) > 20
            for what, text, border in found:
                assert text >= 4.5 and border >= 3, (scheme, what, text, border)
            browser.screenshot(os.path.join(BUILD, f"errors-{scheme}-{width}.png"))
    finally:
        browser.devtools("Emulation.setEmulatedMedia", features=[])
        browser.size(800, 900)


@check("it looks as the picture in its README shows it")
def _(world):
    browser = world.browser
    browser.size(800, 1020)
    fill(browser, world.site, "Jörg Müller", "joerg@example.org", "Opening hours",
         "Good morning,\n\nis your shop open on the day after Christmas?\n\nMany thanks\nJörg")
    browser.run("document.activeElement.blur()")
    for name in ("screenshot", "confirmation"):
        path = os.path.join(BUILD, name + ".png")
        browser.screenshot(path)
        with open(path, "rb") as file:
            data = file.read()
        assert data[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(data[16:20], "big") == 800
        assert len(data) < 100000, len(data)
        if name == "screenshot":
            press_send(browser)
            assert_confirmed(browser)
    assert os.path.getsize(os.path.join(ROOT, "examples", "contact-form", "screenshot.png")) < 100000


@check("make contact-form starts all of it, shows the mail, and ends both")
def _(world):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("SMTP_", "MAIL_", "MAKE"))}
    started = {}
    for ending in ("SECONDS=3", "Ctrl-C"):
        port = free_port()
        started[ending] = port, subprocess.Popen(
            ["make", "contact-form"] + ([ending] if ending != "Ctrl-C" else []), cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env=dict(environment, PORT=str(port)))
    for port, _ in started.values():
        wait(lambda: is_open(port), "the site is there", 20)
        site = type("Started", (), {"url": f"http://127.0.0.1:{port}/"})
        assert Visitor(site).send(message="from make")[0] == 303
    time.sleep(0.2)
    os.killpg(started["Ctrl-C"][1].pid, signal.SIGINT)
    for ending, (port, process) in started.items():
        said = process.communicate(timeout=10)[0].decode() # when all that it started has ended
        assert f"http://127.0.0.1:{port}/" in said, said
        assert "--- from <www@site.example> to <you@site.example>" in said, said
        assert "from make" in said and not is_open(port), said
        assert ending == "Ctrl-C" or process.returncode == 0, said


def main(wanted):
    passed = failed = 0
    world = World()
    try:
        world.open()
        for description, function in checks:
            if wanted and not any(one in description for one in wanted):
                continue
            started = time.monotonic()
            try:
                world.mail.start()
                function(world)
                passed += 1
                print(f"ok - {description} # {time.monotonic() - started:.1f} s", flush=True)
            except Exception: # whatever it is: the others go on
                failed += 1
                reason = traceback.format_exc().strip().replace("\n", "\n   ")
                print(f"not ok - {description}\n   {reason}", flush=True)
    except (WebDriverError, AssertionError, OSError) as why:
        failed += 1
        print(f"not ok - the browser, nginx and the sink start\n   {why}", flush=True)
    finally:
        world.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)) # what was started is ended all the same
    sys.exit(main(sys.argv[1:]))
