rockspec_format = "3.0"
package = "lua-smtp-outbox"
version = "1.0.0-1"
source = { url = "https://lua-smtp.example/lua-smtp-1.0.0.tar.gz" }
description = {
   summary = "The store of smtp.outbox: messages that survive a crash, in a SQLite file",
   detailed = [[
      The module smtp.sqlite_store, with which smtp.outbox of the rock lua-smtp keeps its messages in a
      file of SQLite: a message that was accepted is delivered, also if the process is killed.]],
   homepage = "https://lua-smtp.example/",
   issues_url = "https://lua-smtp.example/issues",
   maintainer = "the lua-smtp authors <security@lua-smtp.example>",
   license = "MIT",
   labels = { "smtp", "email", "mail", "queue", "sqlite" },
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1, < 5.6", "lua-smtp >= 1.0.0" }
external_dependencies = { SQLITE = { header = "sqlite3.h", library = "sqlite3" } }
build = {
   type = "make",
   build_target = "build-store-rock",
   install_target = "install-store-rock",
   variables = {
      CFLAGS = "$(CFLAGS)",
      LIBFLAG = "$(LIBFLAG)",
      LUA_INCDIR = "$(LUA_INCDIR)",
      SQLITE_INCDIR = "$(SQLITE_INCDIR)",
      SQLITE_LIBDIR = "$(SQLITE_LIBDIR)",
      LUA_LIBDIR = "$(LIBDIR)",
   },
}
