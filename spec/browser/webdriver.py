"""A browser, driven over WebDriver (W3C) with nothing but the standard library."""
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--disable-extensions", "--hide-scrollbars", "--no-proxy-server",
             # Nothing but this machine is ever asked for anything.
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


class WebDriverError(Exception):
    pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Browser:
    """One chromium with a profile of its own."""

    def __init__(self):
        for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
            if not shutil.which(program):
                raise WebDriverError(f"{program} is missing: apt-get install {package}")
        port = free_port()
        # Its profile, and what it leaves there when it ends.
        self.folder = tempfile.mkdtemp(prefix="lua-smtp-browser-")
        self.process = subprocess.Popen(["chromedriver", f"--port={port}"],
                                        env={**os.environ, "TMPDIR": self.folder},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.session = None
        try:
            self.session = self.begin()
        except BaseException:
            self.close()
            raise

    def begin(self):
        options = {"args": ARGUMENTS, "binary": shutil.which("chromium")}
        for _ in range(200):
            try:
                made = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                    "browserName": "chrome", "goog:chromeOptions": options}}})
                return "/session/" + made["sessionId"]
            except urllib.error.URLError:
                time.sleep(0.05)
        raise WebDriverError("chromedriver does not answer")

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with self.opener.open(request, timeout=30) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as why:
            value = json.load(why)["value"]
            raise WebDriverError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def get(self, path):
        return self.ask("GET", self.session + path)

    def post(self, path, body=None):
        return self.ask("POST", self.session + path, body or {})

    def open(self, url):
        self.post("/url", {"url": url})

    def reload(self):
        self.post("/refresh")

    @property
    def url(self):
        return self.get("/url")

    @property
    def title(self):
        return self.get("/title")

    def run(self, script, *arguments):
        return self.post("/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def find_all(self, selector):
        found = self.post("/elements", {"using": "css selector", "value": selector})
        return [Element(self, one[ELEMENT]) for one in found]

    def find(self, selector):
        found = self.post("/element", {"using": "css selector", "value": selector})
        return Element(self, found[ELEMENT])

    def focused(self):
        return Element(self, self.get("/element/active")[ELEMENT])

    def press(self, key):
        self.post("/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def insert(self, text):
        """Into the field that has the focus, at once, as an input method does."""
        self.devtools("Input.insertText", text=text)

    def tab(self):
        for kind in ("rawKeyDown", "keyUp"):
            self.devtools("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                          windowsVirtualKeyCode=9)

    def javascript(self, on):
        self.devtools("Emulation.setScriptExecutionDisabled", value=not on)

    def size(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=False)

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.get("/screenshot")))

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        except (OSError, WebDriverError):
            pass
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Element:
    def __init__(self, browser, number):
        self.browser, self.path = browser, "/element/" + number

    @property
    def text(self):
        return self.browser.get(self.path + "/text")

    @property
    def value(self):
        return self.browser.get(self.path + "/property/value")

    @property
    def label(self):
        return self.browser.get(self.path + "/computedlabel")

    @property
    def role(self):
        return self.browser.get(self.path + "/computedrole")

    def attribute(self, name):
        return self.browser.get(self.path + "/attribute/" + name)

    def click(self):
        self.browser.post(self.path + "/click")

    def type(self, text):
        """Key by key, which takes its time."""
        self.browser.post(self.path + "/clear")
        self.browser.post(self.path + "/value", {"text": text})

    def insert(self, text):
        self.browser.post(self.path + "/clear")
        self.click()
        self.browser.insert(text)

    def follow(self):
        """Click, and wait until another page is there."""
        page = self.browser.find("html")
        self.click()
        for _ in range(3000):
            try:
                page.role # nothing comes of a page that is gone
            except WebDriverError:
                return
            time.sleep(0.01)
        raise WebDriverError("no other page came")
