--- What happened, in sentences that continue after the server's name, for what the core has no
-- sentence of its own. {verb}: the command; {limit}: "60 s (reply_timeout)".
-- @module smtp.result.sentences

local sentences = {}

sentences.connect = {
   resolve = "has no address",
   connect = "cannot be reached",
   system = "cannot be connected to",
}

sentences.tls = {
   certificate = "showed a certificate that is not trusted",
   tls = "could not agree on TLS",
   protocol = "sent TLS messages without end and without data",
   system = "cannot be connected to",
}

--- By stage; `other` for the commands.
sentences.timeout = {
   resolve = "was not found by the resolver within {limit}",
   connect = "did not accept the connection within {limit}",
   tls = "did not finish the TLS handshake within {limit}",
   greeting = "accepted the connection but sent no greeting within {limit}",
   body = "did not take the whole message within {limit}",
   final = "did not say within {limit} whether it accepted the message",
   other = "did not answer {verb} within {limit}",
}

sentences.closed = {
   tls = "closed the connection in the TLS handshake",
   after_starttls = "agreed to STARTTLS and then closed the connection",
   greeting = "closed the connection before the end of its greeting",
   body = "closed the connection while it received the message",
   final = "closed the connection without saying whether it accepted the message",
   ready = "closed the connection while it was idle",
   other = "closed the connection instead of answering {verb}",
}

sentences.shutting_down = {
   ready = "ended the conversation while the connection was idle",
   body = "ended the conversation while it received the message",
   final = "ended the conversation instead of accepting the message",
   other = "ended the conversation in reply to {verb}",
}

return sentences
