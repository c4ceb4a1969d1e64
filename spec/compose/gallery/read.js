// Reads the messages of a folder with mailparser or postal-mime: read.js PARSER FOLDER HEADER…
const fs = require("node:fs");
const modules = process.cwd() + "/build/gallery/node_modules/";

function show(key, value) {
   if (value === undefined || value === null || value === false) return;
   const text = Buffer.from(value).toString("latin1").replace(/[^\x20-\x5b\x5d-\x7e]/g,
      (c) => "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0"));
   process.stdout.write(`${key}\t${text}\n`);
}

// Lists of { name, address, group }.
function addresses(list) {
   return (list || []).flatMap((one) => one.group || one).filter((one) => one.address)
      .map((one) => (one.name ? one.name + "|" : "") + one.address).join("; ");
}

const readers = {
   async mailparser(raw, headers) {
      const { simpleParser } = require(modules + "mailparser");
      const libmime = require(modules + "libmime");
      const mail = await simpleParser(raw, { keepCidLinks: true, skipHtmlToText: true, skipTextToHtml: true });
      const value = (name) => {
         const header = mail.headerLines.find((one) => one.key === name.toLowerCase());
         return header && libmime.decodeWords(header.line.replace(/^[^:]*: ?/, "").replace(/\r?\n(?=[ \t])/g, ""));
      };
      return { subject: mail.subject, date: mail.date, messageId: mail.messageId, inReplyTo: mail.inReplyTo,
         references: [mail.references || []].flat().join(" "), from: mail.from?.value, to: [mail.to || []].flat()
            .flatMap((one) => one.value), cc: mail.cc?.value, replyTo: mail.replyTo?.value,
         sender: mail.headers.get("sender")?.value, headers: headers.map((name) => [name, value(name)]),
         text: mail.text, html: mail.html,
         files: mail.attachments.map((one) => ({ type: one.contentType, name: one.filename, content: one.content,
            disposition: one.contentDisposition, id: one.contentId,
            method: one.headers.get("content-type").params.method })) };
   },
   async "postal-mime"(raw, headers) {
      const { default: PostalMime, decodeWords } = await import(modules + "postal-mime/src/postal-mime.js");
      const mail = await PostalMime.parse(raw, { forceRfc822Attachments: true });
      const value = (name) => {
         const header = mail.headers.find((one) => one.key === name.toLowerCase());
         return header && decodeWords(header.value);
      };
      return { subject: mail.subject, date: mail.date && new Date(mail.date), messageId: mail.messageId,
         inReplyTo: mail.inReplyTo, references: mail.references, from: mail.from && [mail.from], to: mail.to,
         cc: mail.cc, replyTo: mail.replyTo, sender: mail.sender && [mail.sender],
         headers: headers.map((name) => [name, value(name)]), text: mail.text, html: mail.html,
         files: mail.attachments.map((one) => ({ type: one.mimeType, name: one.filename, content: one.content,
            disposition: one.disposition, id: one.contentId, method: one.method })) };
   },
};

function show_part(number, part) {
   for (const key of ["type", "disposition", "name", "method"]) show(`${number}.${key}`, part[key]);
   show(`${number}.id`, part.id && part.id.replace(/^<|>$/g, ""));
   show(`${number}.content`, part.content);
}

async function main() {
   const [parser, folder, ...headers] = process.argv.slice(2);
   for (const name of fs.readdirSync(folder).filter((one) => one.endsWith(".eml")).sort()) {
      const mail = await readers[parser](fs.readFileSync(`${folder}/${name}`), headers);
      process.stdout.write(`= ${name}\n`);
      for (const [key, value] of Object.entries({ subject: mail.subject, from: addresses(mail.from),
         sender: addresses(mail.sender), "reply-to": addresses(mail.replyTo), to: addresses(mail.to),
         cc: addresses(mail.cc), date: mail.date && String(mail.date.getTime() / 1000),
         "message-id": mail.messageId, "in-reply-to": mail.inReplyTo, references: mail.references })) {
         show(key, value);
      }
      for (const [key, value] of mail.headers) show("header " + key, value);
      let number = 0;
      for (const type of ["text", "html"]) {
         // An empty text beside html is one that the parser made up.
         if (typeof mail[type] !== "string" || (type === "text" && mail.html && !mail.text)) continue;
         show_part(++number, { type: type === "text" ? "text/plain" : "text/html", content: mail[type] });
      }
      for (const file of mail.files) show_part(++number, file);
   }
}

main().catch((error) => { console.error(error); process.exit(1); });
