#!/usr/bin/env bash
# Haraka on loopback, for the live specs: what follows the end of a message before its answer, it refuses. Installed by
# npm under build/live; nothing else of this machine changes.
# Prints "ready plain=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
modules=$PWD/build/live/haraka
. spec/live/unpacked.sh
npm_install "$modules" Haraka@3.3.4
read -r port < <(free_ports 1)
work=$(mktemp -d /tmp/lua-smtp-live.XXXXXX)
mkdir -p "$work"/{config,plugins,var/boxes}
cp "$modules/node_modules/Haraka/config/connection.ini" "$work/config"
printf '[main]\nlisten=127.0.0.1:%s\nnodes=0\npublic_ip=127.0.0.1\n' "$port" >"$work/config/smtp.ini"
echo mx.live.example >"$work/config/me"
echo boxes >"$work/config/plugins"
echo ERROR >"$work/config/loglevel"
cat >"$work/plugins/boxes.js" <<JS
const fs = require('node:fs')
let count = 0

exports.register = function () {
   this.register_hook('mail', 'mail')
   this.register_hook('rcpt', 'rcpt')
   this.register_hook('queue', 'keep')
}

exports.mail = function (next, connection, params) {
   if (params[0].user === 'refused') return next(DENY, '5.1.8 not this one')
   next()
}

exports.rcpt = function (next, connection, params) {
   if (params[0].user === 'nobody') return next(DENY, '5.1.1 no such box')
   next(OK)
}

exports.keep = function (next, connection) {
   const { transaction } = connection
   const name = process.pid + '.' + String(++count).padStart(6, '0')
   const temporary = '$work/var/' + name
   const file = fs.createWriteStream(temporary)
   file.on('close', () => {
      for (const to of transaction.rcpt_to) {
         const box = '$work/var/boxes/' + to.user + '/new'
         fs.mkdirSync(box, { recursive: true })
         fs.copyFileSync(temporary, box + '/' + name)
      }
      fs.unlinkSync(temporary)
      next(OK)
   })
   transaction.message_stream.pipe(file, { line_endings: '\n' })
}
JS

haraka=
stop() {
   trap - TERM INT EXIT
   [ -z "$haraka" ] || { kill "$haraka" && wait "$haraka"; } 2>/dev/null || :
   rm -rf "$work"
   exit 0
}
trap stop TERM INT EXIT
node "$modules/node_modules/Haraka/bin/haraka" -c "$work" >"$work/log" 2>&1 &
haraka=$!
up() { is_listening "$port"; }
wait_for up || { echo "Haraka did not start:"; tail -n 4 "$work/log"; exit 1; }
echo "ready plain=$port pid=$$ work=$work"
while :; do sleep 0.2; done
