-- Every command line in examples/other-programs.md runs, and does the same as the one of lua-smtp beside it.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter
local terminal = require "spec.tools.terminal"

local page = command.read "examples/other-programs.md"

-- What a line of these jobs must print.
local shows = {
   ["Print the message, and send nothing"] = "Subject: Lunch",
   ["Show the dialogue"] = "RCPT TO:<bob@example.net>",
   ["Show the certificate of the server"] = "mail.example.org",
   ["Receive mail for a test, and refuse a recipient for now"] = "(450 4.2.0): later",
}

-- The password, and what PLAIN sends.
local secrets = { "correct-horse", "AGFubgBjb3JyZWN0LWhvcnNl" }

local function shows_secret(text)
   for _, secret in ipairs(secrets) do
      if text:find(secret, 1, true) then return true end
   end
   return false
end

-- The files that the page shows: { [".swaksrc"] = its text }
local function files_of_page()
   local files = {}
   for name, text in page:gmatch("\n`~/([^`]+)`[^\n]*:\n\n```[a-z]*\n(.-)```") do files[name] = text end
   return files
end

-- The lines of the tables: { job =, program =, line = }
local function rows_of_page()
   local rows, job = {}, nil
   for line in page:gmatch("[^\n]+") do
      job = line:match("^## (.*)") or job
      local program, text = line:match("^| ([%a-]+) | `([^`]+)` |$")
      if program then rows[#rows + 1] = { job = job, program = program, line = (text:gsub("\\|", "|")) } end
   end
   return rows
end

-- The files that the lines use.
local function prepare(folder)
   for name, text in pairs(files_of_page()) do
      os.execute(("mkdir -p $(dirname %s/%s)"):format(folder, name))
      command.write(folder .. "/" .. name, text)
   end
   command.write(folder .. "/lunch.txt", "At noon?\n")
   command.write(folder .. "/report.pdf", "%PDF-1.4\n")
   command.write(folder .. "/message.eml",
      "From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: Lunch\n\nAt noon?\n")
end

describe("examples/other-programs.md", function()
   it("says in its first table what each program has a line for", function()
      local has, programs, count = {}, {}, 0
      for _, row in ipairs(rows_of_page()) do has[row.job .. ", " .. row.program] = true end
      for name in page:match("\n| job |([^\n]*)"):gmatch("[%a-]+") do programs[#programs + 1] = name end
      for job, cells in page:gmatch("\n| %[([^]]+)%]%([^)]*%) |([^\n]*)") do
         local i = 0
         for cell in cells:gmatch("([^|]*)|") do
            i = i + 1
            local what = job .. ", " .. programs[i]
            assert.equal(has[what] or false, cell == " yes ", what)
            count = count + (has[what] and 1 or 0)
         end
         assert.equal(#programs, i)
      end
      assert.equal(#rows_of_page(), count)
   end)

   it("has lines that do the same as those of lua-smtp", function()
      local folder, rows = terminal.prepare(), rows_of_page()
      prepare(folder)
      local lines = {}
      for i, row in ipairs(rows) do lines[i] = row.line .. "\n" end
      command.write(folder .. "/lines", table.concat(lines))
      local own = command.namespace "nm"
      local said = command.run(("%s spec/live/programs.sh %s %s"):format(own, folder, interpreter))
      assert.equal("", said)
      local outcomes, ours = {}, {}
      for outcome in command.run("python3 spec/live/programs_outcomes.py " .. folder .. "/log"):gmatch("[^\n]+") do
         outcomes[#outcomes + 1] = outcome
      end
      assert.equal(#rows, #outcomes)
      for i, row in ipairs(rows) do
         if row.program == "lua-smtp" then ours[row.job] = outcomes[i] end
      end
      local wrong = {}
      for i, row in ipairs(rows) do
         local printed = command.read(("%s/%d.out"):format(folder, i))
         if command.read(("%s/%d.status"):format(folder, i)) ~= "0\n" or outcomes[i] ~= ours[row.job]
            or not printed:find(shows[row.job] or "", 1, true) then
            wrong[#wrong + 1] = table.concat({ row.job, row.line, printed, outcomes[i], ours[row.job] }, "\n")
         end
      end
      assert.equal("", table.concat(wrong, "\n\n"))
      for i, row in ipairs(rows) do
         if row.job == "Show the dialogue" then
            local printed = command.read(("%s/%d.out"):format(folder, i))
            assert.equal(row.program ~= "lua-smtp", shows_secret(printed), row.line)
         end
      end
      command.run(("rm -rf %s/* %s/.??*"):format(folder, folder))
      terminal.clean_up()
   end)
end)
