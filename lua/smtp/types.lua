---@meta
-- The public types: for editors, and the source of the chapters of reference in lua/README.md. It
-- is never loaded. A field has its text after it, or in the lines before it. "Default: …" at the
-- end of that text is the column of defaults.

---@alias smtp.Word
---| "require"   # Fail where the server does not offer it. Nothing was sent then.
---| "prefer"    # Use it where the server offers it, and go on without it elsewhere.
---| "skip"      # Never use it.

---@alias smtp.Extension
---| "pipelining" | "8bitmime" | "size" | "smtputf8" | "chunking" | "binarymime" | "dsn"
---| "requiretls" | "deliverby" | "futurerelease" | "mt-priority" | "limits"

---@alias smtp.Service
---| "gmail" | "microsoft365" | "icloud" | "yahoo" | "fastmail" | "zoho" | "sendgrid" | "mailgun"
---| "postmark" | "brevo" | "mailjet" | string

--- An address as a table.
---@class smtp.Address
---@field name? string  The display name, in UTF-8.
---@field address string  The address: `ann@example.org`.

---@alias smtp.Addresses string|smtp.Address|(string|smtp.Address)[]

--- Where to send, and how. Numbers may be given as strings; all times are in seconds.
---@class smtp.ConnectionOptions
--- `smtp://user:password@host:587`, `smtps://host` (TLS from the first byte), `lmtp://host:24` or
--- `lmtp+unix:/path`. In user and password, `@` is written `%40`, and so on. The other options
--- override the URL.
---@field url? string
--- A provider by name: `"gmail"`, `"ses:eu-west-1"`; see Providers. It supplies host, port, tls and,
--- where all users share one, the user name. The other options override it.
---@field service? smtp.Service
--- The name or the address of the server, without port, user or scheme. Default: `"localhost"`.
---@field host? string
---@field server? string  The same as `host`.
--- The port. Default: 465 with `tls = "implicit"`, 587 with credentials, otherwise 25; 24 for LMTP.
---@field port? integer|string
---@field socket? string  The path of a unix socket, in place of host and port.
--- The protocol of the server. LMTP (RFC 2033) has a reply for each recipient; port 25 is refused.
--- Default: `"smtp"`.
---@field protocol? "smtp"|"lmtp"
--- The name that this library sends in EHLO: a full host name, or an address literal such as
--- `"[192.0.2.1]"`. Default: the full name of this host, or the address of our end of the connection.
---@field domain? string
--- Encryption. `"require"` and `"prefer"` use STARTTLS (RFC 3207), `"implicit"` uses TLS from the
--- first byte (RFC 8314), `"skip"` sends in clear text. Default: `"implicit"` on port 465, `"skip"`
--- on loopback, otherwise `"require"`.
---@field tls? "implicit"|smtp.Word
--- Check the certificate chain and the name of the server. With false, anyone on the path can read
--- the mail and the password. Default: `true`.
---@field tls_verify? boolean
---@field tls_host? string  The name that the certificate must contain. Default: `host`.
--- A PEM file of the certificate authorities to trust. Default: the store of the system.
---@field tls_ca_file? string
--- A directory of such certificates, with the names that `openssl rehash` gives them. Default: the
--- store of the system.
---@field tls_ca_path? string
--- A PEM file: the client certificate, followed by its chain. It needs `tls_key`.
---@field tls_cert? string
---@field tls_key? string  A PEM file: the private key of `tls_cert`, not encrypted.
---@field tls_min_version? "1.2"|"1.3"  The oldest version of TLS to accept. Default: `"1.2"`.
--- The SHA-256 of the server's public key, in base64. It is checked in addition to chain and name;
--- with `tls_verify = false` it decides alone.
---@field tls_pin? string
--- Authentication, see Authentication. Default: `"require"` with credentials, otherwise `"skip"`.
---@field auth? smtp.Word
---@field username? string  The user name.
---@field user? string  The same as `username`.
--- The password, or a function that returns it. The function is called when the password is needed,
--- once for each connection.
---@field password? string|fun(): string
--- An OAuth token, or a function that returns one. Where the server refuses the token, the function
--- is called once more with the server's words, to get a new one. With a password as well,
--- the token is tried first.
---@field token? string|fun(refusal?: string): string
---@field authzid? string  The identity to act as, where it is not the one that logs in.
--- The mechanisms to use, in order of preference: names, or objects of your own. Default: see
--- Authentication.
---@field auth_mechanisms? string|(string|smtp.Mechanism)[]
--- The lowest and the highest number of iterations that the server may ask for in SCRAM. Default:
--- `{ 4096, 200000 }`.
---@field scram_iterations? integer[]
--- Allow the password to travel in clear text to a server that is not on loopback. Default: `false`.
---@field auth_plaintext? boolean
--- Seconds for the whole send, or for each message of `smtp.send_many`; at most 3,600. Default: 300,
--- and one more for each 128 KiB of the message.
---@field timeout? number|string
--- Seconds to look up the name and to connect, within `timeout`; at most 300. Default: 15.
---@field connect_timeout? number|string
--- Seconds to wait for a reply, within `timeout`; at most 900. The reply to the end of the message
--- may take all the time that is left. Default: 60.
---@field reply_timeout? number|string
---@field source_address? string  The local address to connect from.
--- How many commands may leave before their replies have arrived (RFC 2920): `"safe"` sends the
--- envelope at once, `"eager"` also sends the next message before the reply to this one, `"off"`
--- waits for each reply. Default: `"safe"`.
---@field pipelining? "safe"|"eager"|"off"
--- For each extension: require, prefer or skip. Default: `"prefer"`, and `"require"` for those that
--- an option of the message needs.
---@field extensions? table<smtp.Extension, smtp.Word>
--- Show the dialogue, without secrets: `true` for standard error, or a function that is called with
--- `"C"`, `"S"` or `"*"` and a line.
---@field trace? boolean|fun(direction: "C"|"S"|"*", line: string)
---@field observe? fun(event: smtp.Event)  A function that is called with each event of a connection.
--- A connection of your own, or a function that makes one. Nothing counts as loopback through it.
---@field transport? smtp.Transport|fun(): smtp.Transport
--- In nginx: keep the connection for later messages with the same options, for `idle` seconds (60
--- if it is not given), and `size` of them (32) in each worker. Elsewhere, use `smtp.connect`.
--- Default: `false`.
---@field keepalive? false|{ idle?: number, size?: integer }

--- A connection that the caller supplies. The methods are those of a cosocket, and may yield.
---@class smtp.Transport
--- Connects; `"unix:/path"` is a unix socket. Returns nil, a word and a sentence after a failure.
---@field connect fun(self: smtp.Transport, host: string, port?: integer, source?: string): true|nil, string?, string?
--- Sends bytes, and returns how many of them have left; after a failure, the fourth result is this
--- number.
---@field send fun(self: smtp.Transport, bytes: string): integer|nil, string?, string?, integer?
--- Waits for bytes, and returns at most `max` of them; or nil and `"timeout"` or `"closed"`.
---@field receiveany fun(self: smtp.Transport, max: integer): string|nil, string?, string?
--- Starts TLS.
---@field sslhandshake fun(self: smtp.Transport, session: nil, name: string, verify: boolean): any, string?, string?
--- Sets the times for the calls that follow, in milliseconds.
---@field settimeouts fun(self: smtp.Transport, connect: integer, send: integer, receive: integer)
---@field close fun(self: smtp.Transport)  Closes the connection. It may be called twice.
---@field duplex? boolean  The transport reads while it writes.
--- Set it to true once the transport has verified the certificate and the name of the server.
--- Without it, no password is sent without consent, and `receipt.tls.verified` is never true.
---@field secure? boolean
--- Returns the type and the bytes of a channel binding (RFC 5056), for SCRAM with -PLUS.
---@field channel_binding? fun(self: smtp.Transport): string?, string?
--- Returns what is known about TLS.
---@field tlsinfo? fun(self: smtp.Transport): { version?: string, cipher?: string, resumed?: boolean }
--- Returns the certificate of the server, with the fields of smtp.Certificate.
---@field certificate? fun(self: smtp.Transport): table?
---@field getpeername? fun(self: smtp.Transport): string?  Returns the address of the server.
---@field getsockname? fun(self: smtp.Transport): string?  Returns the address of this end.

--- What the function `observe` is called with.
---@class smtp.Event
--- What happened. `stage`: the dialogue has reached this stage; `message`: bytes of it have left.
---@field name "connected"|"tls"|"stage"|"sent"|"heard"|"message"|"done"
---@field connection integer  The number of the conversation, in the order in which they began.
---@field seconds number  Seconds since the conversation began.
---@field host? string  connected: the name of the server.
---@field port? integer  connected: its port.
---@field socket? string  connected: the path of its unix socket.
---@field address? string  connected: its address.
---@field reused? boolean  connected: the connection was kept from an earlier conversation.
---@field version? string  tls: `"TLSv1.3"`.
---@field cipher? string  tls: the cipher suite.
---@field verified? boolean  tls: the certificate and the name of the server were checked.
--- stage, sent, heard: greeting, ehlo, starttls, tls, auth, mail, rcpt, data, body, final or quit.
---@field stage? string
---@field text? string  sent: a command without secrets; heard: a line of a reply.
---@field bytes? integer  message: how many bytes of the message have just left.
---@field size? integer  message: how many bytes the message has, where this is known.
---@field kind? string  done: the kind of the error that ended the conversation.
---@field reason? string  done: the reason of that error.
---@field kept? boolean  done: the connection stays open for another conversation.

--- A mechanism of your own (RFC 4422). `self` belongs to one exchange.
---@class smtp.Mechanism
---@field name string  The name that the server offers it by.
---@field plaintext? boolean  The exchange contains the secret in clear text. Default: `true`.
--- Returns the initial response, or nil where the server begins. `false, reason`: it cannot be used
--- here, and the next mechanism is tried; `nil, reason`: the exchange has failed.
---@field start fun(self: table, info: smtp.MechanismInfo): string|false|nil, true|string|nil
--- Returns the answer to a challenge, and true once the server may accept; or nil and a reason.
---@field step fun(self: table, challenge: string): string?, true|string|nil

--- What a mechanism receives when it starts.
---@class smtp.MechanismInfo
---@field host? string  The option `host`.
---@field port? integer  The port.
---@field username? string  The option `username`.
---@field password? string  The password.
---@field token? string  The OAuth token.
---@field authzid? string  The option `authzid`.
---@field tls boolean  The connection is encrypted.
---@field nonce string  24 random characters.
---@field binding_type? string  `"tls-exporter"`, `"tls-unique"` or `"tls-server-end-point"`.
---@field binding? string  The bytes of the channel binding (RFC 5056).

--- A DKIM signature to add (RFC 6376).
---@class smtp.Dkim
---@field domain string  The domain that signs (d=).
---@field selector string  The name of the key below `_domainkey` in that domain (s=).
--- The private key: PEM text or the path of a PEM file; RSA of 1,024 bits or more, or Ed25519.
---@field key string
--- How much of the white space of header and body may change. Default: `"relaxed/relaxed"`.
---@field canonicalization? "relaxed/relaxed"|"relaxed/simple"|"simple/relaxed"|"simple/simple"|"relaxed"|"simple"
---@field identity? string  The address on whose behalf it signs (i=), in the domain or below it.
--- The headers to sign, each as often as it occurs. A name that is in the list twice is signed once
--- more, so that no further one can be added. From is always signed. Default: see Messages.
---@field headers? string|string[]
---@field skip? string|string[]  The headers not to sign: those that a provider replaces.
---@field expires? number  The seconds after which the signature is no longer valid (x=).

--- A signature that is being made: what dkim.begin of smtp.dkim returns.
---@class smtp.DkimSigning
--- Takes the next piece of the body.
---@field body fun(self: smtp.DkimSigning, piece: string): true|nil, smtp.Error?
--- Returns the DKIM-Signature headers.
---@field finish fun(self: smtp.DkimSigning, headers: string[][]): string|nil, smtp.Error?
--- Returns a hash of what would be signed, to see whether it has changed.
---@field fingerprint fun(self: smtp.DkimSigning, headers: string[][]): string|nil, smtp.Error?

--- A file in the message. It has exactly one of `path`, `content` and `source`.
---@class smtp.Attachment
---@field path? string  The path of a file. It is read piece by piece while the message is sent.
---@field content? string  The bytes.
---@field source? fun(): string?, any  A function that returns pieces, and nil at the end. It may yield.
---@field size? integer  The number of bytes that `source` returns.
--- The name that the reader sees, in UTF-8, at most 255 characters. Default: the last part of `path`.
---@field filename? string
--- The type, with its parameters. Default: by the end of the file name. `charset=utf-8` is added to a text of
--- `path` or `content` that is UTF-8. The charset of `source` is not known: write `"text/csv; charset=utf-8"`.
---@field content_type? string
--- Whether it is shown in the text. Default: `"attachment"`, and `"inline"` with `cid`.
---@field disposition? "attachment"|"inline"
---@field cid? string  Shows it in the html: `cid = "logo"` is `<img src="cid:logo">`.
---@field content_id? string  The Content-ID alone. `cid` sets it as well.

--- What smtp.message returns. `tostring(message)` is the whole message.
---@class smtp.Message
---@field size integer  Bytes of the message on the wire.
---@field envelope { from: string, to: string[] }  The addresses for MAIL and RCPT.
---@field message_id? string  The Message-ID.
--- Returns a function that returns pieces of at most 64 KiB, and nil at the end.
---@field source fun(self: smtp.Message): fun(): string?, smtp.Error?

---@alias smtp.Notify "never"|"success"|"failure"|"delay"

--- A recipient with wishes about reports (DSN, RFC 3461).
---@class smtp.EnvelopeRecipient: smtp.Address
---@field address string  The address: `ann@example.org`.
---@field notify? smtp.Notify|smtp.Notify[]  When the server reports about this recipient.
---@field orcpt? string  The address as it was first written, with or without its type (`rfc822;`).

--- What to send. A message needs content: `text`, `html`, `attachments`, `calendar` or `raw`.
---@class smtp.MessageOptions
--- The author. Several authors need `sender`. With `raw`, the sender of the envelope.
---@field from? smtp.Addresses
---@field to? smtp.Addresses  The recipients. With `raw`, the recipients of the envelope.
---@field cc? smtp.Addresses  Recipients of a copy.
--- Recipients that no header names. Without `to` and `cc`, To is `undisclosed-recipients:;`.
---@field bcc? smtp.Addresses
---@field reply_to? smtp.Addresses  Where an answer goes.
---@field sender? string|smtp.Address  The one person that sends the message for its authors.
---@field subject? string  The subject, in UTF-8.
---@field text? string  The text, in UTF-8. `""` is an empty message on purpose.
---@field html? string  The same message in HTML, in UTF-8. Give `text` as well.
---@field attachments? smtp.Attachment|smtp.Attachment[]  Files, and images for the html.
--- iCalendar text. With `method` (`"REQUEST"`, `"CANCEL"` …), or METHOD in the text, it is an
--- invitation (RFC 6047): what only one of them says is added to the other.
---@field calendar? string|{ content: string, method?: string }
--- More headers: `{ ["X-Name"] = "value" }`, or a list of `{ name, value }` in order. A header that
--- has an option of its own is refused. In a header with addresses (`Disposition-Notification-To`,
--- `Resent-*`, `List-*`, any `-To`), only the words beside the addresses are encoded.
---@field headers? table
--- The date: seconds since 1970, or the text of an RFC 5322 date. Default: now.
---@field date? number|string
---@field message_id? string  The Message-ID, `"<id@host>"`. Default: a random one.
--- The Message-ID of the message that this one answers, or its header as it was received.
---@field in_reply_to? string|string[]
--- The Message-IDs of the thread, the oldest first, or the header as it was received.
---@field references? string|string[]
---@field priority? "high"|"normal"|"low"  How the reader's program marks it.
--- An https or mailto URI, or a list of them. With `one_click = true` in the list, RFC 8058.
---@field list_unsubscribe? string|string[]
---@field dkim? smtp.Dkim|smtp.Dkim[]  Signs the message: one signature or several.
--- A complete message in place of all these: a string, an open file, or a function that returns
--- pieces, and nil at the end. Only its line ends are changed.
---@field raw? string|file*|fun(): string?, any
---@field eightbit? boolean  The message of a `raw` function contains 8-bit bytes. Default: `false`.
---@field size? integer  The bytes of the message of a `raw` function or file.
--- Overrides the addresses of the headers. `from = ""` is the null reverse path.
---@field envelope? { from?: string, to?: string|smtp.EnvelopeRecipient|(string|smtp.EnvelopeRecipient)[] }
--- `"any"`: deliver to the recipients that the server accepts; `"all"`: to all of them or to none.
--- Default: `"any"`.
---@field recipients? "any"|"all"
--- For each extension that the message asks for: require or prefer.
---@field extensions? table<smtp.Extension, "require"|"prefer">
--- Reports about the delivery (RFC 3461): when (`notify`), with the whole message or its header
--- (`ret`), and your own name for the message (`envid`).
---@field dsn? { notify?: smtp.Notify|smtp.Notify[], ret?: "full"|"hdrs", envid?: string }
---@field requiretls? boolean  Every server on the way must use verified TLS (RFC 8689). Default: `false`.
--- Seconds within which to deliver; later than that the message is returned, or a report is sent
--- (RFC 2852).
---@field deliver_by? integer|string|{ seconds: integer|string, mode?: "return"|"notify", trace?: boolean }
---@field hold_for? integer|string  Seconds for which the server keeps the message first (RFC 4865).
--- Until when the server keeps the message: seconds since 1970, or an RFC 3339 or RFC 5322 date.
---@field hold_until? number|string
---@field mt_priority? integer|string  The priority for servers, from -9 to 9 (RFC 6710).

--- The argument of smtp.send: where and how, and what.
---@class smtp.Options: smtp.ConnectionOptions, smtp.MessageOptions

--- A reply of the server.
---@class smtp.Reply
---@field code integer  The three digits of the reply.
---@field enhanced? string  The enhanced status code, "5.1.1", if the reply has one (RFC 3463).
---@field text string  The server's words, printable; its lines are separated by "\n".

--- What became of one recipient. `code`, `enhanced` and `text` are those of the reply to it.
---@class smtp.Recipient: smtp.Reply
---@field address string  The address as it was sent in RCPT.
--- What became of it; unknown: the end of the message was sent, and no reply arrived.
---@field state "accepted"|"refused"|"deferred"|"unsent"|"unknown"
---@field code? integer  The code of the reply to this recipient; nil if the server gave none.
---@field enhanced? string  The enhanced status code of that reply, "5.1.1", if it has one.
---@field text? string  The words of that reply.
---@field reason? string  Of a refusal: why, as in smtp.Error.
---@field concerns? string  Of a refusal: which party has to change something, as in smtp.Error.
---@field retry? "later"|"never"  Of a refusal: whether a later attempt may help.
---@field hint? string  Of a refusal: what to change, in one sentence.

--- Of a message that at least one recipient has.
---@class smtp.Receipt
---@field message_id? string  The Message-ID of a message that this library composed.
---@field recipients smtp.Recipient[]  All recipients, in the order given.
---@field accepted string[]  The addresses that the server accepted.
---@field refused smtp.Recipient[]  The other recipients.
---@field reply smtp.Reply  The server's reply to the end of the message.
---@field auth smtp.AuthState  Whether this library authenticated, and how.
---@field tls smtp.TlsState  The state of TLS on the connection.
---@field server smtp.ServerName  The server that took the message.
---@field capabilities table<string, string>  The keywords of the EHLO reply, in upper case, to their parameters.
---@field pipelining "eager"|"safe"|"off"  How far this library really went ahead of the replies.
---@field extensions table<smtp.Extension, "used"|"unavailable">  The extensions that the message asked for.
---@field size? integer  Bytes of the message on the wire, if they are known.
---@field seconds number  How long the message took.

--- Whether the message travelled encrypted.
---@class smtp.TlsState
---@field state "on"|"unavailable"|"skipped"  Whether the connection was encrypted.
---@field version? string  "TLSv1.3"; nil inside nginx.
---@field cipher? string  The cipher suite; nil inside nginx.
---@field verified? boolean  The certificate and the name of the server were checked.
---@field resumed? boolean  The TLS session of an earlier connection was used again.

--- The server that took the message.
---@class smtp.ServerName
---@field host? string  The option `host`; nil with `socket`.
---@field port? integer  The port.
---@field address? string  The address that the connection was made to.
---@field name? string  The name that the server gave itself in its reply to EHLO.

--- Whether this library authenticated, and why not.
---@class smtp.AuthState
---@field state "authenticated"|"unavailable"|"skipped"  Whether this library authenticated.
---@field mechanism? string  The mechanism that was used.
---@field reason? string  Why AUTH was not available: a reason of AuthUnsupportedError.
---@field offered string[]  The mechanisms that the server offers.
---@field mechanisms? table<string, string>  If AUTH was not available: why each mechanism was not used.
--- Mechanisms that this server offered on an earlier connection of this process, and not on this one.
---@field downgrade? string[]

--- What a server offers.
---@class smtp.Offer
---@field capabilities table<string, string>  The keywords of the EHLO reply, in upper case, to their parameters.
---@field mechanisms string[]  The mechanisms of AUTH, in the server's order.

--- The certificate of a server. It is not known inside nginx.
---@class smtp.Certificate
---@field subject string  Its subject, as RFC 4514 writes names.
---@field issuer string  Its issuer.
---@field names string[]  The DNS names and addresses that it is valid for.
---@field not_before string  The beginning of its validity: `"2026-01-31T12:00:00Z"`.
---@field not_after string  The end of its validity.
---@field days_left integer  Days until then; negative: it has expired.
---@field key_pin string  The value for `tls_pin`.

--- Something that is wrong with a server, or worth knowing.
---@class smtp.Warning
---@field kind string  The kind of the error that ended the dialogue, or "warning", or "remark".
---@field reason string  One word for programs.
---@field concerns? string  Of a refusal: which party has to change something, as in smtp.Error.
---@field text string  What is wrong, for people.
---@field hint? string  What to do about it.
---@field temporary? true  It may pass by itself.

--- What smtp.probe returns.
---@class smtp.Report
---@field host? string  The option `host`; nil with `socket`.
---@field port? integer  The port.
---@field socket? string  The path of a unix socket.
---@field address? string  The address that the connection was made to.
---@field server? string  The name of the server in its greeting.
---@field greeting string  The words of the greeting; its lines are separated by "\n".
--- How long each step took.
---@field seconds { connect: number, greeting?: number, tls?: number, ehlo?: number, total: number }
---@field esmtp? boolean  True: the server supports EHLO; false: it supports HELO only; nil: it took neither.
---@field ehlo_reply? string  The reply to EHLO where the server refused EHLO and accepted HELO.
---@field before_tls? smtp.Offer  What the server offers before TLS, or without it.
---@field after_tls? smtp.Offer  What the server offers inside TLS.
---@field tls smtp.TlsReport  The state of TLS.
---@field auth smtp.AuthReport  The state of authentication.
---@field limits { size?: integer }  The largest message in bytes, if the server names one.
---@field pipelining? boolean  The server offers PIPELINING.
---@field chunking? boolean  The server offers CHUNKING.
---@field warnings smtp.Warning[]  What is wrong or missing; the first one says what sending would meet.
--- Options that send to this server, without credentials; empty where none would send.
---@field options smtp.ConnectionOptions

--- TLS, as smtp.probe found it.
---@class smtp.TlsReport
---@field state "on"|"failed"|"unavailable"|"skipped"|"unknown"  Whether TLS is on.
---@field version? string  "TLSv1.3"; nil inside nginx.
---@field cipher? string  The cipher suite; nil inside nginx.
---@field verified boolean  The certificate and the name of the server were checked.
---@field reason? string  Why TLS is not verified, or not on.
---@field certificate? smtp.Certificate  The certificate of the server; nil inside nginx.

--- Authentication, as smtp.probe found it.
---@class smtp.AuthReport
---@field state "authenticated"|"failed"|"unavailable"|"skipped"  What became of the credentials.
---@field mechanism? string  The mechanism that was used.
---@field reason? string  Why AUTH failed or was not available.
---@field offered string[]  The mechanisms that the server offers.
---@field usable table<string, true|string>  For each of these: true, or why it cannot be used.
--- Mechanisms that this server offered on an earlier connection of this process, and not on this one.
---@field downgrade? string[]

--- Every error. Each class has the same fields; those that do not apply are nil.
---@class smtp.Error
---@field kind string  The class in snake case: "auth_unsupported". Ask for it with smtp.is_error.
--- What went wrong, and where, for people. tostring(err) adds the server's words and the hint.
---@field what? string
---@field reason? string  One word that says why.
--- Which party has to change something: the sender, the recipient, this machine ("client"), the account, the message,
--- the server. Nil where the reply does not say it.
---@field concerns? "sender"|"recipient"|"client"|"account"|"message"|"server"
--- What the server was asked for: resolve, connect, tls, greeting, ehlo, starttls, auth, mail, rcpt, data, body,
--- final, rset, noop, vrfy, quit.
---@field stage? string
---@field code? integer  The code of the server's reply.
---@field enhanced? string  The enhanced status code of the reply.
---@field text? string  The server's words, without secrets.
---@field command? string  The command that the error is about, without secrets.
---@field host? string  The option `host`.
---@field port? integer  The port.
---@field address? string  The address that the connection was made to.
---@field option? string  UsageError: the name of the option.
---@field value? any  UsageError: the value that cannot be used; SMTPUTF8: the address that needs it.
---@field sent "no"|"partly"|"maybe"  Whether recipients have the message.
--- Whether another attempt may help; doubt: the server may have the message.
---@field retry "now"|"later"|"never"|"doubt"
---@field temporary boolean  `retry` is "later".
---@field recipients? smtp.Recipient[]  What became of each recipient.
---@field offered? string[]  The mechanisms of AUTH that the server offers.
---@field offered_before_tls? string[]  The mechanisms that it offered before TLS.
---@field starttls_offered? boolean  The server offers STARTTLS.
---@field mechanisms? table<string, string>  For each offered mechanism: what became of it.
---@field mechanism? string  The mechanism that was used last.
---@field bound? boolean  A mechanism with -PLUS was tried; after it, none without -PLUS is used.
---@field challenge? string  What the server said in its last challenge: the JSON of an OAuth refusal.
---@field auth_reason? string  Why this library did not authenticate.
---@field tls? boolean  The connection was encrypted.
--- Mechanisms that this server offered on an earlier connection of this process, and not on this one.
---@field downgrade? string[]
---@field hint? string  What to change, in one sentence.
---@field limit? integer  MessageTooLargeError: the largest message that the server takes, in bytes.
---@field size? integer  MessageTooLargeError: bytes of the message.
---@field summary? smtp.Summary  What was sent before a function given to smtp.send_many failed.
---@field capabilities? table<string, string>  The keywords of the EHLO reply, in upper case, to their parameters.
---@field transcript? string[]  The last lines of the dialogue, "C: …" and "S: …", without secrets.
---@field cause? any  What a function or an object of the caller's raised.

--- An option or an argument is wrong (`option`, `value`). Nothing was sent.
---@class smtp.UsageError: smtp.Error

--- An address is wrong (`value`). Nothing was sent.
---@class smtp.AddressError: smtp.UsageError

--- This machine cannot go on: no memory, no descriptors, no temporary file, or a module that
--- cannot be loaded.
---@class smtp.SystemError: smtp.Error

--- The connection could not be made.
---@class smtp.ConnectError: smtp.Error

--- The name of the server could not be looked up.
---@class smtp.ResolveError: smtp.ConnectError

--- A time was over. `stage` says what this library waited for.
---@class smtp.TimeoutError: smtp.Error

--- The connection ended before the dialogue did, or the server said 421.
---@class smtp.DisconnectedError: smtp.Error

--- The server does not follow the protocol, or injects text.
---@class smtp.ProtocolError: smtp.Error

--- TLS could not be started.
---@class smtp.TlsError: smtp.Error

--- The server's certificate is not valid for it (`reason`: expired, wrong_host, unknown_issuer …).
---@class smtp.CertificateError: smtp.TlsError

--- The server requires TLS first.
---@class smtp.TlsRequiredError: smtp.TlsError

--- The server does not offer what was required. Nothing was sent.
---@class smtp.NotSupportedError: smtp.Error

--- The server has no AUTH that can be used. It did not refuse the login.
---@class smtp.AuthUnsupportedError: smtp.NotSupportedError

--- The server does not offer STARTTLS.
---@class smtp.TlsUnsupportedError: smtp.NotSupportedError

--- The server does not offer an extension that the message needs.
---@class smtp.ExtensionUnsupportedError: smtp.NotSupportedError

--- A problem with the login.
---@class smtp.AuthError: smtp.Error

--- The server refused the login, or could not prove that it knows the password.
---@class smtp.AuthRejectedError: smtp.AuthError

--- The server cannot check the login now.
---@class smtp.AuthTemporaryError: smtp.AuthError

--- The password would travel in clear text. It was not sent.
---@class smtp.AuthInsecureError: smtp.AuthError

--- The server requires a login.
---@class smtp.AuthRequiredError: smtp.AuthError

--- The server refused something else.
---@class smtp.ReplyError: smtp.Error

--- The server refused the connection or the name in EHLO.
---@class smtp.GreetingRefusedError: smtp.ReplyError

--- The server refused the sender.
---@class smtp.SenderRefusedError: smtp.ReplyError

--- The server refused the recipients: see `recipients`.
---@class smtp.RecipientsRefusedError: smtp.ReplyError

--- The server refused the message.
---@class smtp.DataRefusedError: smtp.ReplyError

--- The message is larger than the server accepts (`limit`, `size`).
---@class smtp.MessageTooLargeError: smtp.ReplyError

--- A function or an object of yours failed (`cause`), or a body was not as long as declared.
---@class smtp.SourceError: smtp.Error

--- How smtp.send_many sends.
---@class smtp.ManySettings
--- How many connections are open at once, in one thread (in nginx: light threads). Where the server
--- accepts fewer, the others go on. Default: 2.
---@field connections? integer
--- Messages in flight on one connection with `pipelining = "eager"`; at most 64. Default: 16.
---@field window? integer
--- Messages on one connection before a new one replaces it; fewer where the server limits them.
--- Default: 100.
---@field per_connection? integer
---@field rate? number  Messages a second, over all connections.
--- Called with the result of each message as soon as it is known; the summary keeps no results then.
---@field on_result? fun(index: integer, receipt?: smtp.Receipt, err?: smtp.Error)
---@field progress? boolean  Draw a bar on a terminal. Default: `false`.

--- What smtp.send_many returns.
---@class smtp.Summary
---@field sent integer  Messages for which there is a receipt.
---@field failed integer  Messages for which there is an error.
---@field seconds number  How long it took.
---@field results (smtp.Receipt|smtp.Error)[]  In the order given; empty with `on_result`.

--- What smtp.connect returns. In Lua 5.4, `local connection <close>` closes it.
---@class smtp.Connection
---@field alive boolean  The connection can send a message, as far as is known.
---@field auth smtp.AuthState  Whether this library authenticated, and how.
--- Sends one message. A refusal leaves the connection usable; after a break every call fails.
---@field send fun(self: smtp.Connection, options: smtp.MessageOptions): smtp.Receipt
--- Returns the keywords of the EHLO reply, in upper case, with their parameters.
---@field capabilities fun(self: smtp.Connection): table<string, string>
---@field noop fun(self: smtp.Connection): smtp.Reply  Sends NOOP, to see whether the server still answers.
---@field reset fun(self: smtp.Connection): smtp.Reply  Sends RSET.
--- Sends VRFY. Most servers answer 252: they do not say whether the address exists.
---@field verify fun(self: smtp.Connection, address: string): smtp.Reply
---@field quit fun(self: smtp.Connection): true  Sends QUIT and closes the connection.
---@field close fun(self: smtp.Connection): true  Closes the connection, or keeps it with `keepalive`.

--- What smtp.connect of smtp.safe returns: its methods return nil and an error, and never raise.
---@class smtp.SafeConnection
---@field alive boolean  As in smtp.Connection.
---@field auth smtp.AuthState  As in smtp.Connection.
--- As connection:send.
---@field send fun(self: smtp.SafeConnection, options: smtp.MessageOptions): smtp.Receipt?, smtp.Error?
--- As connection:capabilities.
---@field capabilities fun(self: smtp.SafeConnection): table<string, string>?, smtp.Error?
---@field noop fun(self: smtp.SafeConnection): smtp.Reply?, smtp.Error?  As connection:noop.
---@field reset fun(self: smtp.SafeConnection): smtp.Reply?, smtp.Error?  As connection:reset.
--- As connection:verify.
---@field verify fun(self: smtp.SafeConnection, address: string): smtp.Reply?, smtp.Error?
---@field quit fun(self: smtp.SafeConnection): true?, smtp.Error?  As connection:quit.
---@field close fun(self: smtp.SafeConnection): true?, smtp.Error?  As connection:close.

---@alias smtp.Messages smtp.MessageOptions[]|(fun(): smtp.MessageOptions?)
---@alias smtp.DeferCallback fun(receipt?: smtp.Receipt, err?: smtp.Error)

--- What smtp.defer returns.
---@class smtp.Deferred
---@field message_id? string  The Message-ID of the message.
---@field waiting integer  The messages that wait in this worker, this one among them.

--- The module `smtp`. Its functions raise a smtp.Error.
---@class smtp.Module
--- Sends one message over a connection of its own.
---@field send fun(options: smtp.Options): smtp.Receipt
--- Opens a connection for several messages.
---@field connect fun(options: smtp.ConnectionOptions): smtp.Connection
--- Sends many messages over few connections. The errors of single messages are among the results.
---@field send_many fun(options: table, messages: smtp.Messages, settings?: smtp.ManySettings): smtp.Summary
--- Reports what a server offers, and which options to use. It sends no mail.
---@field probe fun(options: smtp.ConnectionOptions): smtp.Report
--- Composes a message without sending it.
---@field message fun(options: smtp.MessageOptions): smtp.Message
--- In nginx: sends the message after the request; the callback gets the receipt, or nil and the error.
---@field defer fun(options: smtp.Options, callback?: smtp.DeferCallback): smtp.Deferred
--- Makes a receiving server for demos and tests.
---@field sink fun(options?: smtp.SinkOptions): smtp.Sink
--- True for an error of this library, of the class given (`smtp.AuthError`, `"auth"`) or below it.
---@field is_error fun(value: any, class?: table|string): boolean

--- The module `smtp.safe`: the same functions. They return nil and an error, and never raise.
---@class smtp.SafeModule
---@field send fun(options: smtp.Options): smtp.Receipt?, smtp.Error?  As smtp.send.
---@field connect fun(options: smtp.ConnectionOptions): smtp.SafeConnection?, smtp.Error?  As smtp.connect.
--- As smtp.send_many.
---@field send_many fun(options: table, messages: smtp.Messages, set?: smtp.ManySettings): smtp.Summary?, smtp.Error?
---@field probe fun(options: smtp.ConnectionOptions): smtp.Report?, smtp.Error?  As smtp.probe.
---@field message fun(options: smtp.MessageOptions): smtp.Message?, smtp.Error?  As smtp.message.
--- As smtp.defer.
---@field defer fun(options: smtp.Options, callback?: smtp.DeferCallback): smtp.Deferred?, smtp.Error?
---@field sink fun(options?: smtp.SinkOptions): smtp.Sink?, smtp.Error?  As smtp.sink.
---@field is_error fun(value: any, class?: table|string): boolean?, smtp.Error?  As smtp.is_error.

--- The accounts of a sink.
---@class smtp.SinkAuth
---@field users? table<string, string>  The passwords by user name.
---@field tokens? table<string, string>  The OAuth tokens by user name, for XOAUTH2 and OAUTHBEARER.
---@field external? string  The user that EXTERNAL authenticates.
--- The mechanisms to offer: those of smtp.send, or your own. Those with -PLUS need TLS. Default:
--- PLAIN and LOGIN with `users`, XOAUTH2 and OAUTHBEARER with `tokens`, EXTERNAL with `external`.
---@field mechanisms? (string|smtp.SinkMechanism)[]
---@field before_tls? boolean  Offer AUTH without TLS as well. Default: `false`.
---@field iterations? integer  The iterations of SCRAM. Default: 4096.

--- A mechanism of a sink.
---@class smtp.SinkMechanism
---@field name string  The name to offer.
--- Asks with `ask(challenge)` and returns the user; or nil and the reply to give.
---@field run fun(exchange: { initial?: string }, ask: fun(challenge: string): string): string?, string?

---@alias smtp.SinkFault string

--- What a sink is, and what goes wrong there.
---@class smtp.SinkOptions
---@field host? string  The address to listen at. Default: `"127.0.0.1"`.
---@field port? integer  The port to listen at. Default: a free one.
---@field socket? string  The path of a unix socket, in place of host and port.
---@field protocol? "smtp"|"lmtp"  The protocol. Default: `"smtp"`.
---@field domain? string  The name that the sink gives itself. Default: `"sink.example"`.
--- What the sink offers, as EHLO lists it; the sink refuses everything else. Default: PIPELINING,
--- SIZE 52428800, 8BITMIME, ENHANCEDSTATUSCODES, SMTPUTF8, CHUNKING, DSN.
---@field capabilities? string[]
---@field tls? false|"starttls"|"implicit"  Offer TLS. Default: `false`.
--- A PEM file with the certificate. Default: one made by the `openssl` command.
---@field tls_cert? string
---@field tls_key? string  A PEM file with its key.
---@field tls_max_version? "1.2"|"1.3"  The newest version of TLS to speak. Default: `"1.3"`.
---@field auth? false|smtp.SinkAuth  The accounts. Default: `false`, AUTH is not offered.
---@field require_auth? boolean  Refuse MAIL without AUTH. Default: `false`.
--- By stage (connect, ehlo, helo, starttls, auth, mail, rcpt, data, final, rset, quit): a reply,
--- `"drop"`, `"silence"`, or a function of the command that returns one of these, or nil. `data` is
--- BDAT's as well. In LMTP, `final` is asked for each recipient, with its address.
---@field faults? table<string, smtp.SinkFault|fun(command_or_recipient?: string): smtp.SinkFault?>
---@field on_message? fun(message: smtp.SinkMessage)  Called with each message.
---@field keep? integer  How many messages stay in `sink.messages`. Default: 1000.
---@field trace? fun(direction: string, line: string)  Called with each line, without secrets.
--- Refuse what RFC 5321 does not allow and the sink otherwise accepts: blanks around the colon in
--- `MAIL FROM: <a@b>`, and commands that end in a bare LF. Default: `false`.
---@field strict? boolean

--- A message that a sink received.
---@class smtp.SinkMessage
---@field from string  The address of MAIL.
---@field to string[]  The addresses of RCPT.
---@field data string  The message.
---@field parameters table<string, string>  The parameters of MAIL: `{ SIZE = "24" }`.
---@field recipients { address: string, parameters: table<string, string> }[]  The same of each RCPT.
---@field authenticated? string  The user that logged in.
---@field authzid? string  The identity that the client asked for.
---@field tls boolean  The message arrived over TLS.

--- What smtp.sink returns.
---@class smtp.Sink
---@field messages smtp.SinkMessage[]  The messages that arrived, the oldest first.
---@field tls_ca_file? string  The certificate that the sink made, once it listens.
---@field transport fun(self: smtp.Sink): table  Returns a value for the option `transport`.
---@field listen fun(self: smtp.Sink, listener?: userdata): string, integer?  Listens; returns address and port.
--- Serves clients until that many connections have ended, or `timeout` seconds are over.
---@field serve fun(self: smtp.Sink, options?: { connections?: integer, timeout?: number }): integer?, smtp.Error?
---@field close fun(self: smtp.Sink): true  Stops listening.
