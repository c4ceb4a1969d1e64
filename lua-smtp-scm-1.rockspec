rockspec_format = "3.0"
package = "lua-smtp"
version = "scm-1"
source = { url = "git+file://." }
description = {
   summary = "An SMTP client that is safe by default and says what went wrong",
   license = "MIT",
}
dependencies = { "lua >= 5.1" }
external_dependencies = {
   OPENSSL = { header = "openssl/ssl.h", library = "ssl" },
   CRYPTO = { library = "crypto" },
}
build = {
   type = "builtin",
   modules = {
      ["smtp"] = "lua/smtp.lua",
      ["smtp.address"] = "lua/smtp/address.lua",
      ["smtp.attachment"] = "lua/smtp/attachment.lua",
      ["smtp.auth"] = "lua/smtp/auth.lua",
      ["smtp.binding"] = "lua/smtp/binding.lua",
      ["smtp.check"] = "lua/smtp/check.lua",
      ["smtp.cli"] = "lua/smtp/cli.lua",
      ["smtp.compose"] = "lua/smtp/compose.lua",
      ["smtp.crowd"] = "lua/smtp/crowd.lua",
      ["smtp.defer"] = "lua/smtp/defer.lua",
      ["smtp.delivery"] = "lua/smtp/delivery.lua",
      ["smtp.dkim"] = "lua/smtp/dkim.lua",
      ["smtp.drive"] = "lua/smtp/drive.lua",
      ["smtp.errors"] = "lua/smtp/errors.lua",
      ["smtp.extensions"] = "lua/smtp/extensions.lua",
      ["smtp.guard"] = "lua/smtp/guard.lua",
      ["smtp.hints"] = "lua/smtp/hints.lua",
      ["smtp.host"] = "lua/smtp/host.lua",
      ["smtp.keep"] = "lua/smtp/keep.lua",
      ["smtp.many"] = "lua/smtp/many.lua",
      ["smtp.message"] = "lua/smtp/message.lua",
      ["smtp.mime"] = "lua/smtp/mime.lua",
      ["smtp.nginx"] = "lua/smtp/nginx.lua",
      ["smtp.options"] = "lua/smtp/options.lua",
      ["smtp.probe"] = "lua/smtp/probe.lua",
      ["smtp.probe_warnings"] = "lua/smtp/probe_warnings.lua",
      ["smtp.progress"] = "lua/smtp/progress.lua",
      ["smtp.queue"] = "lua/smtp/queue.lua",
      ["smtp.quirks"] = "lua/smtp/quirks.lua",
      ["smtp.raw"] = "lua/smtp/raw.lua",
      ["smtp.report"] = "lua/smtp/report.lua",
      ["smtp.safe"] = "lua/smtp/safe.lua",
      ["smtp.sasl"] = "lua/smtp/sasl.lua",
      ["smtp.signers"] = "lua/smtp/signers.lua",
      ["smtp.signing"] = "lua/smtp/signing.lua",
      ["smtp.sink"] = "lua/smtp/sink.lua",
      ["smtp.sink_auth"] = "lua/smtp/sink_auth.lua",
      ["smtp.sink_envelope"] = "lua/smtp/sink_envelope.lua",
      ["smtp.sink_session"] = "lua/smtp/sink_session.lua",
      ["smtp.source"] = "lua/smtp/source.lua",
      ["smtp.transcript"] = "lua/smtp/transcript.lua",
      ["smtp.core"] = {
         sources = {
            "csrc/address.c", "csrc/auth.c", "csrc/auth/external.c", "csrc/auth/login.c",
            "csrc/auth/oauthbearer.c", "csrc/auth/plain.c", "csrc/auth/xoauth2.c",
            "csrc/chunking.c", "csrc/dialogue.c", "csrc/encode.c", "csrc/encoder.c",
            "csrc/envelope.c", "csrc/extensions.c", "csrc/hello.c", "csrc/idna.c", "csrc/lencode.c",
            "csrc/lflights.c", "csrc/lmail.c", "csrc/lplain.c", "csrc/lsmtp.c", "csrc/message.c",
            "csrc/reply.c", "csrc/scan.c", "csrc/session.c", "csrc/starttls.c", "csrc/transcript.c",
            "csrc/utf8.c", "csrc/wire.c",
         },
      },
      ["smtp.crypto"] = {
         sources = {
            "csrc/crypto/cram_md5.c", "csrc/crypto/dkim.c", "csrc/crypto/hash.c",
            "csrc/crypto/lcrypto.c", "csrc/crypto/ldkim.c", "csrc/crypto/saslprep.c",
            "csrc/crypto/scram.c",
         },
         libraries = { "crypto", "dl" },
         incdirs = { "$(OPENSSL_INCDIR)" },
         libdirs = { "$(CRYPTO_LIBDIR)" },
      },
      ["smtp.socket"] = {
         sources = {
            "csrc/host/address.c", "csrc/host/binding.c", "csrc/host/certificate.c",
            "csrc/host/connect.c", "csrc/host/listen.c", "csrc/host/lsocket.c",
            "csrc/host/resolve.c", "csrc/host/stream.c", "csrc/host/tls.c",
            "csrc/host/tls_context.c", "csrc/host/tls_session.c", "csrc/host/wait.c",
         },
         libraries = { "ssl", "crypto", "pthread", "dl" },
         incdirs = { "$(OPENSSL_INCDIR)" },
         libdirs = { "$(OPENSSL_LIBDIR)", "$(CRYPTO_LIBDIR)" },
      },
   },
   install = { bin = { ["lua-smtp"] = "lua/lua-smtp" } },
}
