// nodemailer, pooled where a connection is kept. nodemailer.js WORKLOAD PORT COUNT FILE [CA]
const fs = require("fs");
const nodemailer = require(process.cwd() + "/build/bench/node_modules/nodemailer");

const [workload, port, count, path, ca] = process.argv.slice(2);
const QUEUED = 16;
const envelope = { from: "ann@me.example", to: ["bob@there.example"] };
const bulk = workload === "attach" || workload === "dots";
const text = bulk ? null : fs.readFileSync(path);
const kept = workload !== "new" && workload !== "starttls" && workload !== "conc";

const transport = nodemailer.createTransport({
   host: workload === "starttls" ? "localhost" : "127.0.0.1", port: Number(port), name: "me.example",
   pool: kept, maxConnections: 1, maxMessages: Infinity,
   requireTLS: workload === "starttls", ignoreTLS: workload !== "starttls",
   tls: ca && workload === "starttls" ? { ca: fs.readFileSync(ca) } : undefined });

function message() {
   if (workload === "attach") {
      return { from: envelope.from, to: envelope.to, subject: "see the file", text: "see the file",
         attachments: [{ path }] };
   }
   if (workload === "dots") return { envelope, raw: { path } };
   if (workload !== "rcpts") return { envelope, raw: text };
   const to = Array.from({ length: Number(count) }, (_, i) => `bob${i + 1}@there.example`);
   return { envelope: { from: envelope.from, to }, raw: text };
}

async function main() {
   let left = workload === "rcpts" ? 1 : Number(count);
   const each = async () => {
      while (left-- > 0) await transport.sendMail(message());
   };
   const at_once = workload === "conc" ? Number(count) : kept && !bulk ? QUEUED : 1;
   await Promise.all(Array.from({ length: at_once }, each));
   transport.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
