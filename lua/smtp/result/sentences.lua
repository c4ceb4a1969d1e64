--- What happened, in sentences that continue after the server's name, for what the core has no
-- sentence of its own. {verb}: the command; {limit}: "60 s (reply_timeout)"; {proxy}: its place.
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

--- By the reason, of a proxy that is named by {proxy}.
sentences.proxy = {
   proxy_unreachable = "was not reached: the proxy {proxy} cannot be reached",
   proxy_auth = "was not reached: the proxy {proxy} did not accept the login",
   proxy_refused = "was not reached: the proxy {proxy} did not connect to it",
   proxy_protocol = "was not reached: {proxy} did not answer as a proxy does",
   closed = "was not reached: the proxy {proxy} closed the connection",
}

--- By stage; `other` for the commands. A connection is that to the proxy, where there is one.
sentences.timeout = {
   to_proxy = "was not reached: the proxy {proxy} did not accept the connection within {limit}",
   through_proxy = "was not reached through the proxy {proxy} within {limit}",
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
