--- The reasons why servers refuse: which party has to change something, and what.
--
-- Fields of a reason:
--    concerns  "sender", "recipient", "client", "account", "message" or "server"
--    sentence  what the server did, after its name. {name|words}: a value of the case at hand, or
--              these words where there is none
--    means     what it means, for the reference
--    hint      what to do
--    outside   what to do before a login, where the server offers AUTH on a port for submission
--    login     what to do after a login
--    token     what to do where a token was rejected
--    waits     what to do where pipelining is off already
--    provider  the field of the provider (options/services.lua) that follows or replaces the hint
--    others    what follows the hint where the provider is not known
--    retry     when a later attempt helps, whatever the class of the reply
-- @module smtp.result.reasons

local reasons = {}

local SUBMIT = "Send through your provider's server with username and password (port 587 or 465)"

reasons.sender_not_allowed = { concerns = "sender",
   sentence = "does not allow {account|this client} to send as {from|this sender}",
   means = "This login may not use this sender, or the provider has not verified the sender.",
   hint = "Set from (or envelope.from) to an address that the server accepts from this client, or "
      .. "have its operator allow this one", provider = "sender",
   login = "Set from (or envelope.from) to an address of that login, or have the server's operator "
      .. "allow it",
   outside = "Give username and password: the server may allow this sender after a login only",
   others = " (Postfix: smtpd_sender_login_maps; Microsoft 365: Send As; others: verify it)" }

reasons.sender_domain = { concerns = "sender",
   sentence = "does not find the domain of the sender {from|}",
   means = "The domain of the sender does not exist, or it accepts no mail.",
   hint = "Correct the domain in from (or envelope.from); it needs an MX or address record" }

reasons.sender_syntax = { concerns = "sender",
   sentence = "does not accept the form of the sender {from|address}",
   means = "The server does not accept the form of the sender's address.",
   hint = "Set from (or envelope.from) to a full address, such as ann@example.org" }

reasons.unknown_recipient = { concerns = "recipient",
   sentence = "does not know the recipient {to|}",
   means = "The server has no such mailbox.",
   hint = "Check the spelling of the address, or remove it from the list" }

reasons.recipient_domain = { concerns = "recipient",
   sentence = "does not find the domain of the recipient {to|}",
   means = "The domain of the recipient does not exist, or it accepts no mail.",
   hint = "Check the spelling of the domain" }

reasons.mailbox_full = { concerns = "recipient", retry = "later",
   sentence = "has no room in the mailbox of {to|the recipient}",
   means = "The mailbox of the recipient is full.",
   hint = "Try again in some days, or reach the recipient in another way" }

reasons.recipient_disabled = { concerns = "recipient",
   sentence = "does not deliver to the mailbox of {to|the recipient}",
   means = "The mailbox exists, but it is disabled, or it accepts mail from few senders only.",
   hint = "Ask the recipient, or remove the address from the list" }

reasons.recipient_syntax = { concerns = "recipient",
   sentence = "does not accept the form of the recipient address {to|}",
   means = "The server does not accept the form of the recipient's address.",
   hint = "Correct the address: its form is ann@example.org" }

reasons.blocked = { concerns = "client",
   sentence = "blocks the address of this machine{list|}",
   means = "The address from which this machine sends is on a block list, or the server accepts no "
      .. "mail from networks of its kind.",
   hint = "Send through your provider's server with a login, or have the address taken off the "
      .. "list",
   outside = "Give username and password: a login usually lifts the block; otherwise have the "
      .. "address taken off the list" }

reasons.no_reverse_name = { concerns = "client",
   sentence = "finds no valid reverse name (PTR record) for the address of this machine",
   means = "The address from which this machine sends has no reverse name in DNS, or one that does "
      .. "not lead back to it.",
   hint = "Have the network's provider set a PTR record, or send through your provider's server "
      .. "with "
      .. "a login" }

reasons.helo = { concerns = "client",
   sentence = "does not accept the name {ehlo|} that {hello|EHLO} sent",
   means = "The server does not accept the name that this library sends in EHLO.",
   hint = "Set domain to the full host name of this machine, such as \"mail.example.org\", with "
      .. "records in DNS" }

reasons.rate_limited = { concerns = "client", retry = "later",
   sentence = "limits how much this machine or account may send",
   means = "Too much was sent, or tried, in too short a time.",
   hint = "Wait, then send less: one connection for many messages (smtp.send_many with a rate and "
      .. "connections = 1)" }

reasons.too_many_connections = { concerns = "client", retry = "later",
   sentence = "does not accept so many connections at once from here",
   means = "More connections are open than the server accepts from one client.",
   hint = "Use fewer connections (smtp.send_many with connections = 1), and close those that are "
      .. "idle" }

reasons.pipelining = { concerns = "client",
   sentence = "does not accept pipelining{waits|}",
   means = "The server offers PIPELINING and then refuses commands that arrive together. This "
      .. "library repeats the message without pipelining by itself.",
   hint = "Set pipelining = \"off\"",
   waits = "Pipelining was off already: a proxy or a firewall in between may join the commands; "
      .. "its operator, or the server's, has to correct that" }

reasons.rejected = { concerns = "account",
   sentence = "rejected the user name or {secret|password}",
   means = "The user name or the password is wrong.",
   hint = "Check username and password; some providers require a password made for this "
      .. "application",
   token = "Get a new token for the mailbox in username{scope|, with the scope for SMTP}"
      .. "{once|; token may be a function that does so}", provider = "login" }

reasons.app_password_required = { concerns = "account",
   sentence = "rejected the user name or password: it accepts only app passwords",
   means = "The provider accepts only a password that was made for one application.",
   hint = "Create an app password in the account's security settings and give it as password, or "
      .. "give token", provider = "login" }

reasons.browser_login_required = { concerns = "account",
   sentence = "requires that the user logs in with a web browser first",
   means = "The provider asks the user to confirm something in a web browser first.",
   hint = "Log in with a web browser once, as the server says, then create an app password and "
      .. "give "
      .. "it as password, or give token" }

reasons.auth_disabled = { concerns = "account",
   sentence = "does not allow this account to send by SMTP",
   means = "SMTP, or SMTP with a password, is switched off for this account, or the account is "
      .. "locked.",
   hint = "Have SMTP AUTH switched on for the account, or unlock it, at the provider" }

reasons.token_required = { concerns = "account",
   sentence = "does not accept passwords",
   means = "The provider accepts OAuth tokens only.",
   hint = "Give token (XOAUTH2) instead of password{scope|}" }

reasons.token_expired = { concerns = "account",
   sentence = "rejected the token: it has expired, or it is not valid",
   means = "The OAuth token has expired, or it was revoked.",
   hint = "Get a new token{scope|}{once|; token may be a function that does so}" }

reasons.token_scope = { concerns = "account",
   sentence = "rejected the token, which is not for sending mail as this user",
   means = "The OAuth token lacks the scope for SMTP, or it belongs to another user.",
   hint = "Request the token for the mailbox in username, with the scope for SMTP{scope|}" }

reasons.quota = { concerns = "account", retry = "later",
   sentence = "reports that the account has used up its quota",
   means = "The account that sends has used up what it may store or send.",
   hint = "Delete what the account does not need at the server, wait, or have the quota raised" }

reasons.relay_denied = { concerns = "account",
   sentence = "does not relay to {to|that recipient}{for|}",
   means = "The recipient's domain is not one of this server's own, and the server relays to other "
      .. "domains only after a login.",
   hint = SUBMIT,
   outside = "Give username and password: the server relays to other domains only after a login",
   login = "Check that this is the right server, and have its operator allow this user to send to "
      .. "other domains" }

reasons.too_large = { concerns = "message",
   sentence = "does not take messages this large",
   means = "The message is larger than the server accepts.",
   hint = "Send less: fewer or smaller attachments, or a link to them" }

reasons.spam = { concerns = "message",
   sentence = "refused the content of the message",
   means = "A filter takes the message for spam, or does not allow its content.",
   hint = "Send plain text, fewer links and no executable attachments; sign with dkim; send from a "
      .. "domain with SPF and DMARC records" }

reasons.unauthenticated_sender = { concerns = "message",
   sentence = "cannot verify the sender {from|} by SPF, DKIM or DMARC",
   means = "SPF, DKIM or DMARC of the sender's domain does not allow this message from here.",
   hint = "Send through the server of the sender's domain, or sign with dkim and add this "
      .. "machine to "
      .. "the SPF record of the domain" }

reasons.header = { concerns = "message",
   sentence = "does not accept the header of the message",
   means = "A header is missing, malformed, or there twice.",
   hint = "Give each of From, Date and Message-ID exactly once; messages that this library "
      .. "composes "
      .. "have them (raw: add or correct them)" }

reasons.eightbit = { concerns = "message",
   sentence = "does not accept the 8-bit text in the message",
   means = "The message has characters that the server accepts only in encoded form.",
   hint = "Encode the message as quoted-printable or base64 (text composed here always is), and "
      .. "use "
      .. "ASCII addresses" }

reasons.greylisted = { concerns = "server", retry = "later",
   sentence = "defers each new sender for a while (greylisting)",
   means = "The server defers the first message of each new sender.",
   hint = "Send again in 5 to 15 minutes, from the same address" }

reasons.temporary = { concerns = "server",
   sentence = "cannot take mail at the moment",
   means = "The server has a temporary problem.",
   hint = "Send again later" }

reasons.misconfigured = { concerns = "server",
   sentence = "has a fault in its configuration",
   means = "The server reports a fault of its own.",
   hint = "Check host and port; otherwise only the server's operator can correct this" }

return reasons
