rockspec_format = "3.0"
package = "lua-smtp"
version = "scm-1"
source = { url = "git+https://lua-smtp.example/lua-smtp.git" }
description = {
   summary = "An SMTP client that is safe by default and says what went wrong",
   detailed = [[
      Sends mail from Lua 5.1 to 5.4, LuaJIT and nginx (OpenResty): SMTP and LMTP over TLS that is
      required and verified unless you say otherwise, AUTH with SCRAM, OAuth 2 and passwords, DKIM,
      MIME, attachments, thousands of messages over a few connections. Each error names the cause
      and the remedy. A receiving server for tests and the command lua-smtp come with it.]],
   homepage = "https://lua-smtp.example/",
   issues_url = "https://lua-smtp.example/issues",
   maintainer = "the lua-smtp authors <security@lua-smtp.example>",
   license = "MIT",
   labels = { "smtp", "lmtp", "email", "mail", "tls", "network", "openresty", "nginx", "dkim" },
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1, < 5.6" }
external_dependencies = { OPENSSL = { header = "openssl/ssl.h", library = "ssl" } }
build = {
   type = "make",
   build_target = "build-rock",
   install_target = "install-rock",
   variables = {
      CFLAGS = "$(CFLAGS)",
      LIBFLAG = "$(LIBFLAG)",
      LUA_INCDIR = "$(LUA_INCDIR)",
      OPENSSL_INCDIR = "$(OPENSSL_INCDIR)",
      OPENSSL_LIBDIR = "$(OPENSSL_LIBDIR)",
      LUA_DIR = "$(LUADIR)",
      LUA_LIBDIR = "$(LIBDIR)",
      BINDIR = "$(BINDIR)",
   },
}
test = { type = "command", script = ".ci/unit.lua" }
