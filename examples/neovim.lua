-- :SendMail bob@example.net sends the buffer, whose first line is the subject. Neovim does not
-- freeze meanwhile. Write `luafile neovim.lua` into init.vim, and the server into vim.g.mail:
--
--    let g:mail = { 'host': 'mail.example.org', 'username': 'ann', 'from': 'ann@example.org' }

local smtp = require "smtp.safe"

local function notify(text, level) -- this may be called in a callback of luv
   vim.schedule(function() vim.notify(text, level) end)
end

local function send(to, lines)
   local mail = vim.g.mail
   local receipt, err = smtp.send {
      loop = "luv", host = mail.host, port = mail.port, tls_ca_file = mail.tls_ca_file,
      tls = "require", username = mail.username, password = os.getenv "SMTP_PASSWORD",
      from = mail.from, to = to, subject = lines[1], text = table.concat(lines, "\n", 2) .. "\n",
   }
   if receipt then
      notify("sent: " .. receipt.reply.text, vim.log.levels.INFO)
   else
      notify(tostring(err), vim.log.levels.ERROR)
   end
end

vim.api.nvim_create_user_command("SendMail", function(command)
   coroutine.wrap(send)(command.args, vim.api.nvim_buf_get_lines(0, 0, -1, false))
end, { nargs = 1 })
