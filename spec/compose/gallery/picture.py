"""Shows a page in a browser, and keeps a picture of it: picture.py PAGE PICTURE
Prints what a person would see to be wrong, and how many messages and pictures are shown."""
import pathlib
import sys

sys.path.insert(0, "spec/browser")
from webdriver import Browser

WIDTH = 1692

LOOK = """
const faults = [];
let pictures = 0;
for (const article of document.querySelectorAll("article")) {
   const name = article.querySelector("b").textContent;
   const frame = article.querySelector("iframe");
   for (const root of frame ? [article, frame.contentDocument.body] : [article]) {
      if (/\\ufffd/.test(root.textContent)) faults.push(name + ": a character that could not be read");
   }
   if (!frame) continue;
   frame.style.height = frame.contentDocument.documentElement.scrollHeight + "px";
   if (!frame.contentDocument.body.childElementCount) faults.push(name + ": nothing is shown");
   for (const image of frame.contentDocument.images) {
      pictures++;
      if (!image.complete || image.naturalWidth < 40) faults.push(name + ": the picture " + image.alt + " is missing");
   }
}
return [document.querySelectorAll("article").length, pictures, document.documentElement.scrollHeight, faults];
"""

browser = Browser()
try:
    browser.size(WIDTH, 1000)
    browser.open(pathlib.Path(sys.argv[1]).resolve().as_uri())
    messages, pictures, height, faults = browser.run(LOOK)
    for fault in faults:
        print(fault)
    browser.size(WIDTH, height)
    browser.screenshot(sys.argv[2])
    print(f"{messages} messages, {pictures} pictures")
finally:
    browser.close()
