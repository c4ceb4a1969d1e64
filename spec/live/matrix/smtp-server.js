// smtp-server with a port of each kind; it keeps each message for each of its recipients in the folder of boxes.
'use strict'
const fs = require('node:fs')
const { SMTPServer } = require('smtp-server')

const [certs, boxes, plain, submission, smtps, lmtp] = process.argv.slice(2)
const tls = { key: fs.readFileSync(certs + '/good.key'), cert: fs.readFileSync(certs + '/good.pem') }
let count = 0

function refusal (code, text) {
   return Object.assign(new Error(text), { responseCode: code })
}

function listen (port, options) {
   const server = new SMTPServer({
      name: 'mx.live.example',
      size: 20000000,
      disableReverseLookup: true,
      logger: false,
      authMethods: ['PLAIN', 'LOGIN', 'CRAM-MD5'],
      onAuth (auth, session, done) {
         const known = auth.username === 'ann' &&
            (auth.method === 'CRAM-MD5' ? auth.validatePassword('sesame') : auth.password === 'sesame')
         done(known ? null : refusal(535, '5.7.8 wrong'), known ? { user: 'ann' } : undefined)
      },
      onMailFrom (address, session, done) {
         done(address.address.startsWith('refused@') ? refusal(550, '5.1.8 not this one') : null)
      },
      onRcptTo (address, session, done) {
         done(address.address.startsWith('nobody@') ? refusal(550, '5.1.1 no such box') : null)
      },
      onData (stream, session, done) {
         const parts = []
         stream.on('data', (part) => parts.push(part))
         stream.on('end', () => {
            const name = String(++count).padStart(9, '0')
            const text = Buffer.from(Buffer.concat(parts).toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
            for (const { address } of session.envelope.rcptTo) {
               const box = boxes + '/' + address.split('@')[0] + '/new'
               fs.mkdirSync(box, { recursive: true })
               fs.writeFileSync(boxes + '/' + name, text)
               fs.renameSync(boxes + '/' + name, box + '/' + name)
            }
            done(null, options.lmtp ? session.envelope.rcptTo.map(() => 'kept') : 'kept')
         })
      },
      ...options
   })
   server.on('error', () => {})
   server.listen(Number(port), '127.0.0.1')
}

listen(plain, { disabledCommands: ['AUTH', 'STARTTLS'] })
listen(submission, tls)
listen(smtps, { ...tls, secure: true })
listen(lmtp, { lmtp: true, disabledCommands: ['AUTH', 'STARTTLS'] })
