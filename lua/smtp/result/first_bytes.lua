--- What kind of server it is, by the first bytes that it sends or does not send.
-- @module smtp.result.first_bytes

local first_bytes = {}

--- What a server of another protocol says first: { pattern, what it is }.
first_bytes.protocols = {
   { "^HTTP/", "a web server (HTTP)" }, { "^<[!hH?]", "a web server (HTTP)" },
   { "^RTSP/", "a media server (RTSP)" }, { "^%* OK", "an IMAP server" },
   { "^%* BYE", "an IMAP server" }, { "^%* PREAUTH", "an IMAP server" },
   { "^%+OK", "a POP3 server" }, { "^%-ERR", "a POP3 or Redis server" },
   { "^SSH%-", "an SSH server" }, { "^\"IMPLEMENTATION\"", "a ManageSieve server" },
   { "[Mm]y[Ss][Qq][Ll]", "a MySQL server" }, { "[Mm]aria[Dd][Bb]", "a MySQL server (MariaDB)" },
   { "^[^%?]%?%?%?", "a MySQL server" },
   { "^RFB ", "a VNC server" }, { "^@RSYNCD", "an rsync server" },
   { "^:%S+ NOTICE", "an IRC server" }, { "^20[01] ", "a news server (NNTP)" },
   { "^%?%?[%?%c]*[^%?]?%?%?", "a telnet server, or another one that speaks no text" },
}

--- Ports whose servers say nothing first.
first_bytes.silent_ports = { [80] = "a web server's", [443] = "a web server's (HTTPS)",
   [8000] = "a web server's", [8008] = "a web server's", [8080] = "a web server's or a proxy's",
   [8443] = "a web server's (HTTPS)", [3128] = "an HTTP proxy's", [1080] = "a SOCKS proxy's",
   [993] = "an IMAP server's (with TLS)", [995] = "a POP3 server's (with TLS)",
   [53] = "a name server's", [389] = "an LDAP server's", [636] = "an LDAP server's (with TLS)",
   [5432] = "a PostgreSQL server's", [6379] = "a Redis server's" }

--- The first line that the server sent; "" where there is none.
---@param err table   an error object, with its transcript
---@return string
function first_bytes.greeting(err)
   for i = 1, #err.transcript do
      local said = err.transcript[i]:match("^S: ?(.*)")
      if said then return said end
   end
   return ""
end

--- Which other protocol does a first line belong to?
---@return string|nil   "a web server (HTTP)"
function first_bytes.foreign(text)
   for _, entry in ipairs(first_bytes.protocols) do
      if text:find(entry[1]) then return entry[2] end
   end
end

--- An FTP server greets as SMTP does, and asks for USER and PASS after EHLO.
function first_bytes.is_ftp(err)
   local greeting = first_bytes.greeting(err)
   local names_it = greeting:find("FTP", 1, true) or greeting:find("FileZilla", 1, true)
   return names_it and not greeting:find("SMTP", 1, true)
      or (err.text or ""):find("USER and PASS", 1, true)
end

--- Inspecting firewalls write asterisks in the greeting, and X in commands and keywords.
function first_bytes.is_inspected(err)
   for keyword in next, err.capabilities or {} do
      if keyword:find("^XXXX+[A-Z]?$") then return true end
   end
   return first_bytes.greeting(err):find("*****", 1, true)
      or (err.text or ""):find("XXXX", 1, true)
end

return first_bytes
