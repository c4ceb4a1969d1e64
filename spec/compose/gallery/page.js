// Makes one page of the messages of a folder, as mailparser reads them: page.js FOLDER >page.html
const fs = require("node:fs");
const { simpleParser } = require(process.cwd() + "/build/gallery/node_modules/mailparser");

const folder = process.argv[2];

function escaped(text) {
   return String(text ?? "").replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

const STYLE = `
body { font: 13px sans-serif; margin: 16px; background: #eaeef2; display: grid; gap: 12px;
   grid-template-columns: repeat(5, 320px) }
article { background: #fff; border: 1px solid #d0d7de; border-radius: 6px; overflow: hidden }
header { padding: 8px 12px; background: #f6f8fa; border-bottom: 1px solid #d0d7de; line-height: 1.4 }
header div { overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical;
   overflow: hidden }
iframe { border: 0; width: 320px; display: block }
pre { margin: 12px; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 160px; overflow: hidden;
   font: 13px sans-serif }
li { max-height: 3.6em; overflow: hidden }
ul { list-style: none; margin: 0; padding: 6px 12px; border-top: 1px solid #d0d7de; overflow-wrap: anywhere }
i { color: #57606a }`;

function row(name, text) {
   return text ? `<div><i>${name}</i> <bdi>${escaped(text)}</bdi></div>` : "";
}

function files(attachments) {
   const rows = attachments.filter((one) => !one.related).map((one) =>
      `<li>&#128206; <bdi>${escaped(one.filename || one.contentType)}</bdi> <i>${one.size} bytes</i></li>`);
   return rows.length ? `<ul>${rows.join("")}</ul>` : "";
}

async function card(name) {
   const mail = await simpleParser(fs.readFileSync(`${folder}/${name}`)); // its html has the pictures inside
   const to = [mail.to || []].flat().map((one) => one.text).join(", ");
   const shown = mail.html && mail.headers.get("content-type").value !== "text/plain"
      ? `<iframe sandbox="allow-same-origin" srcdoc="${escaped(mail.html)}"></iframe>`
      : `<pre dir="auto">${escaped(mail.text)}</pre>`;
   return `<article><header><b>${escaped(name.replace(".eml", ""))}</b>${row("From", mail.from?.text)}${row("To", to)}
${row("Subject", mail.subject)}</header>${shown}${files(mail.attachments)}</article>`;
}

async function main() {
   const names = fs.readdirSync(folder).filter((one) => one.endsWith(".eml")).sort();
   const cards = await Promise.all(names.map(card));
   process.stdout.write(`<!doctype html><meta charset="utf-8"><title>Gallery</title><style>${STYLE}</style>${cards.join("\n")}`);
}

main().catch((error) => { console.error(error); process.exit(1); });
