// nodemailer, led as ours.lua is: nodemailer.js WORKLOAD FOLDER [PORT]
const crypto = require("node:crypto");
const fs = require("node:fs");
const readline = require("node:readline");
const nodemailer = require(process.cwd() + "/build/bench/node_modules/nodemailer");

const [workload, folder, port] = process.argv.slice(2);
const [kind, argument] = workload.split(":");
const read = (name) => fs.readFileSync(`${folder}/${name}`);
const text = kind === "text" ? read(argument).toString()
   : kind === "newsletter" ? read("news.txt").toString() : "Hello Bob,\n\nlunch at noon?\n\nAnn\n";
const html = kind === "newsletter" ? read("news.html").toString() : undefined;
const image = kind === "newsletter" ? read("news.png") : undefined;
const dkim = kind === "newsletter" && argument ? { domainName: "me.example", keySelector: argument,
   privateKey: crypto.createPrivateKey(read(argument + ".pem")) } : undefined;
const transport = nodemailer.createTransport(port
   ? { host: "127.0.0.1", port: Number(port), name: "me.example", pool: true, maxConnections: 1, maxMessages: Infinity,
      ignoreTLS: true }
   : { streamTransport: true, newline: "windows" });

// What it composes is drained where it is not sent. -> pieces
async function send() {
   const { message } = await transport.sendMail({ from: "Ann Lee <ann@me.example>", to: "Bob <bob@there.example>", subject: "Garden News",
      text, html, attachments: image && [{ content: image, filename: "logo.png", cid: "logo" }], dkim });
   return port ? [] : message.toArray();
}

async function main() {
   for await (const line of readline.createInterface({ input: process.stdin })) {
      const before = process.cpuUsage();
      if (line.startsWith("show ")) {
         fs.writeFileSync(line.slice(5), Buffer.concat(await send()));
      } else {
         let left = Number(line);
         const each = async () => {
            while (left-- > 0) await send();
         };
         await Promise.all(Array.from({ length: kind === "text" ? 1 : 16 }, each));
      }
      const used = process.cpuUsage(before);
      process.stdout.write(`${(used.user + used.system) / 1e6}\n`);
   }
   transport.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
