---@meta
-- Types for editors. Never loaded.

---@class smtp.Address
---@field name? string
---@field address string

---@alias smtp.Extension   EHLO's keywords
---| "pipelining" | "8bitmime" | "size" | "smtputf8" | "chunking" | "binarymime" | "dsn" | "requiretls"
---| "deliverby" | "futurerelease" | "mt-priority" | "limits"

---@class smtp.ConnectionOptions
---@field url? string
---@field host? string
---@field server? string
---@field port? integer|string
---@field socket? string
---@field protocol? "smtp"|"lmtp"
---@field domain? string
---@field tls? "implicit"|"require"|"prefer"|"skip"
---@field tls_verify? boolean
---@field tls_host? string
---@field tls_ca_file? string
---@field tls_ca_path? string
---@field tls_cert? string
---@field tls_key? string
---@field tls_min_version? "1.2"|"1.3"
---@field tls_pin? string
---@field auth? "require"|"prefer"|"skip"
---@field username? string
---@field user? string
---@field password? string|fun(): string
---@field token? string|fun(said?: string): string
---@field authzid? string
---@field auth_mechanisms? string|(string|smtp.Mechanism)[]
---@field scram_iterations? integer[]   lower and upper bound
---@field auth_plaintext? boolean
---@field timeout? number|string       seconds
---@field connect_timeout? number|string
---@field reply_timeout? number|string
---@field source_address? string
---@field pipelining? "safe"|"eager"|"off"
---@field extensions? table<smtp.Extension, "require"|"prefer"|"skip">
---@field trace? boolean|fun(direction: "C"|"S"|"*", line: string)
---@field transport? table|fun(): table
---@field keepalive? false|{ idle?: number, size?: integer }   nginx only

---@class smtp.Mechanism   RFC 4422; `self` belongs to one exchange
---@field name string
---@field plaintext? boolean   true unless false: it shows the secret
---@field start fun(self: table, info: smtp.MechanismInfo): string|false|nil, true|string|nil
---@field step fun(self: table, challenge: string): string?, true|string|nil

---@class smtp.MechanismInfo
---@field host? string
---@field port? integer
---@field username? string
---@field password? string
---@field token? string
---@field authzid? string
---@field tls boolean
---@field nonce string          24 random characters
---@field binding_type? string  "tls-exporter", "tls-unique", "tls-server-end-point"
---@field binding? string       RFC 5056

---@class smtp.Dkim
---@field domain string
---@field selector string
---@field key string             PEM text, or the path of a PEM file: RSA or Ed25519
---@field canonicalization? "relaxed/relaxed"|"relaxed/simple"|"simple/relaxed"|"simple/simple"|"relaxed"|"simple"
---@field identity? string       i= (RFC 6376 3.5)

---@class smtp.DkimSigning
---@field body fun(self: smtp.DkimSigning, piece: string): true|nil, smtp.Error?
---@field finish fun(self: smtp.DkimSigning, headers: string[][]): string|nil, smtp.Error?
---@field fingerprint fun(self: smtp.DkimSigning, headers: string[][]): string|nil, smtp.Error?

---@class smtp.Attachment
---@field path? string                    one of path, content and source
---@field content? string
---@field source? fun(): string?, any     pieces, nil at the end
---@field size? integer                   octets that source gives
---@field filename? string
---@field content_type? string
---@field disposition? "attachment"|"inline"
---@field cid? string                     inline, as <img src="cid:…"> in html
---@field content_id? string

---@class smtp.Message
---@field size? integer                   octets on the wire
---@field envelope { from: string, to: string[] }
---@field message_id? string
---@field source fun(self: smtp.Message): fun(): string?, smtp.Error?

---@alias smtp.Notify "never"|"success"|"failure"|"delay"

---@class smtp.RecipientWish: smtp.Address
---@field notify? smtp.Notify|smtp.Notify[]
---@field orcpt? string   the address as it was first written, with or without its type (`rfc822;`)

---@class smtp.MessageOptions
---@field from? string|smtp.Address|(string|smtp.Address)[]
---@field to? string|smtp.Address|(string|smtp.Address)[]
---@field cc? string|smtp.Address|(string|smtp.Address)[]
---@field bcc? string|smtp.Address|(string|smtp.Address)[]
---@field reply_to? string|smtp.Address|(string|smtp.Address)[]
---@field sender? string|smtp.Address
---@field subject? string
---@field text? string
---@field html? string
---@field attachments? smtp.Attachment|smtp.Attachment[]
---@field calendar? string|{ content: string, method?: string }
---@field headers? table
---@field date? number|string
---@field message_id? string
---@field in_reply_to? string|string[]
---@field references? string|string[]
---@field priority? "high"|"normal"|"low"
---@field list_unsubscribe? string|string[]   one_click = true among them: RFC 8058
---@field dkim? smtp.Dkim|smtp.Dkim[]
---@field raw? string|file*|fun(): string?, any
---@field eightbit? boolean
---@field size? integer
---@field envelope? { from?: string, to?: string|smtp.RecipientWish|(string|smtp.RecipientWish)[] }
---@field recipients? "any"|"all"
---@field extensions? table<smtp.Extension, "require"|"prefer">   over a connection: of this message
---@field dsn? { notify?: smtp.Notify|smtp.Notify[], ret?: "full"|"hdrs", envid?: string }
---@field requiretls? boolean
---@field deliver_by? integer|string|{ seconds: integer|string, mode?: "return"|"notify", trace?: boolean }
---@field hold_for? integer|string      seconds
---@field hold_until? number|string     as os.time() gives it, or RFC 3339
---@field mt_priority? integer|string   -9 to 9

---@class smtp.Options: smtp.ConnectionOptions, smtp.MessageOptions

---@class smtp.Reply
---@field code integer
---@field enhanced? string
---@field text string

---@class smtp.Recipient: smtp.Reply
---@field address string
---@field state "accepted"|"refused"|"deferred"|"unsent"|"unknown"

---@class smtp.Receipt
---@field message_id? string
---@field recipients smtp.Recipient[]
---@field accepted string[]
---@field refused smtp.Recipient[]
---@field reply smtp.Reply
---@field auth smtp.AuthState
---@field tls { state: string, version?: string, cipher?: string, verified?: boolean, resumed?: boolean }
---@field server { host?: string, port?: integer, address?: string, name?: string }
---@field capabilities table<string, string>
---@field pipelining "eager"|"safe"|"off"   what was really used
---@field extensions table<smtp.Extension, "used"|"unavailable">   those the message asked for
---@field size? integer
---@field seconds number

---@class smtp.AuthState
---@field state "authenticated"|"unavailable"|"skipped"
---@field mechanism? string
---@field reason? string
---@field offered string[]
---@field mechanisms? table<string, string>   where it is unavailable: why each was not used
---@field downgrade? string[]   offered earlier by the same server, and no more

---@class smtp.Offer
---@field capabilities table<string, string>   upper-case keywords to parameters
---@field mechanisms string[]

---@class smtp.Certificate   of the server; not told inside nginx
---@field subject string      RFC 4514
---@field issuer string
---@field names string[]      DNS names and addresses it is for
---@field not_before string   "2026-01-31T12:00:00Z"
---@field not_after string
---@field days_left integer   negative: it has expired
---@field key_pin string      as tls_pin wants it

---@class smtp.Warning
---@field kind string         of the error that ended the dialogue, or "warning", or "remark"
---@field reason string
---@field text string
---@field hint? string        what to do
---@field temporary? true     it may pass by itself

---@class smtp.Report   what smtp.probe returns
---@field host? string
---@field port? integer
---@field socket? string
---@field address? string
---@field server? string      its name in the greeting
---@field greeting string     lines are separated by "\n"
---@field seconds { connect: number, greeting?: number, tls?: number, ehlo?: number, total: number }
---@field esmtp? boolean      false: it knows HELO only; nil: it let us say neither
---@field ehlo_reply? string   the reply to EHLO where it was refused and HELO was not
---@field before_tls? smtp.Offer
---@field after_tls? smtp.Offer
---@field tls smtp.TlsReport
---@field auth smtp.AuthReport
---@field limits { size?: integer }
---@field pipelining? boolean
---@field chunking? boolean
---@field warnings smtp.Warning[]
---@field options smtp.ConnectionOptions   for smtp.send, without credentials; empty where none would send

---@class smtp.TlsReport
---@field state "on"|"failed"|"unavailable"|"skipped"|"unknown"
---@field version? string     not told inside nginx
---@field cipher? string      not told inside nginx
---@field verified boolean
---@field reason? string      why it is not verified, or not on
---@field certificate? smtp.Certificate

---@class smtp.AuthReport
---@field state "authenticated"|"failed"|"unavailable"|"skipped"
---@field mechanism? string
---@field reason? string
---@field offered string[]
---@field usable table<string, true|string>   for each that is offered: true, or why not
---@field downgrade? string[]

---@class smtp.Error
---@field kind string
---@field reason? string
---@field stage? string
---@field code? integer
---@field enhanced? string
---@field text? string
---@field command? string
---@field host? string
---@field port? integer
---@field address? string
---@field option? string
---@field value? any
---@field sent "no"|"partly"|"maybe"
---@field retry "now"|"later"|"never"|"doubt"
---@field temporary boolean
---@field recipients? smtp.Recipient[]
---@field offered? string[]
---@field offered_before_tls? string[]
---@field mechanisms? table<string, string>
---@field mechanism? string
---@field challenge? string
---@field auth_reason? string           why AUTH was not used
---@field tls? boolean
---@field downgrade? string[]
---@field hint? string
---@field limit? integer                of a message's size, in octets
---@field size? integer                 of the message
---@field summary? smtp.Summary         where a function given to smtp.send_many failed
---@field capabilities? table<string, string>
---@field transcript? string[]
---@field cause? any

---@class smtp.ManySettings   of smtp.send_many(options, messages, settings)
---@field connections? integer     default 2
---@field window? integer          messages under way on a connection, with pipelining = "eager"; default 16
---@field per_connection? integer  default 100
---@field rate? number             messages a second
---@field on_result? fun(index: integer, receipt?: smtp.Receipt, err?: smtp.Error)
---@field progress? boolean

---@class smtp.Summary
---@field sent integer
---@field failed integer
---@field seconds number
---@field results (smtp.Receipt|smtp.Error)[]   in the order given; empty with on_result

---@class smtp.Connection
---@field alive boolean
---@field auth smtp.AuthState
---@field send fun(self: smtp.Connection, options: smtp.MessageOptions): smtp.Receipt
---@field capabilities fun(self: smtp.Connection): table<string, string>
---@field noop fun(self: smtp.Connection): smtp.Reply
---@field reset fun(self: smtp.Connection): smtp.Reply
---@field verify fun(self: smtp.Connection, address: string): smtp.Reply
---@field quit fun(self: smtp.Connection): true
---@field close fun(self: smtp.Connection): true

---@class smtp.Deferred   what smtp.defer returns
---@field message_id? string
---@field waiting integer      messages that wait in this worker, this one among them

---@class smtp.SinkAuth
---@field users? table<string, string>     passwords by name
---@field tokens? table<string, string>    OAuth tokens by name
---@field external? string                 whom EXTERNAL authenticates
---@field mechanisms? (string|smtp.SinkMechanism)[]
---@field before_tls? boolean
---@field iterations? integer              of SCRAM, default 4096

---@class smtp.SinkMechanism
---@field name string
---@field run fun(exchange: { initial?: string }, ask: fun(challenge: string): string): string?, string?

---@alias smtp.SinkFault string   a reply, "drop" or "silence"

---@class smtp.SinkOptions
---@field host? string
---@field port? integer
---@field socket? string                    path of a unix socket instead
---@field protocol? "smtp"|"lmtp"
---@field domain? string
---@field capabilities? string[]
---@field tls? false|"starttls"|"implicit"
---@field tls_cert? string
---@field tls_key? string
---@field tls_max_version? "1.2"|"1.3"
---@field auth? false|smtp.SinkAuth
---@field require_auth? boolean
---@field faults? table<string, smtp.SinkFault|fun(command_or_recipient?: string): smtp.SinkFault?>
---@field on_message? fun(message: smtp.SinkMessage)
---@field keep? integer
---@field trace? fun(direction: string, line: string)
---@field strict? boolean                   commands exactly as RFC 5321 has them

---@class smtp.SinkMessage
---@field from string
---@field to string[]
---@field data string
---@field parameters table<string, string>  of MAIL, by their names in upper case
---@field recipients { address: string, parameters: table<string, string> }[]
---@field authenticated? string
---@field authzid? string
---@field tls boolean

---@class smtp.Sink
---@field messages smtp.SinkMessage[]
---@field tls_ca_file? string
---@field transport fun(self: smtp.Sink): table
---@field listen fun(self: smtp.Sink, listener?: userdata): string, integer?
---@field serve fun(self: smtp.Sink, options?: { connections?: integer, timeout?: number }): integer?, smtp.Error?
---@field close fun(self: smtp.Sink): true
