--- lua-smtp probe: shows what a server offers.
-- @module smtp.cli.probe

local errors = require "smtp.errors"
local exit_status = require "smtp.cli.exit_status"
local output = require "smtp.cli.output"
local safe = require "smtp.safe"
local secrets = require "smtp.cli.secrets"

---@param options table   as flags.read gives them
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
local function run(options, json)
   secrets.read(options)
   local report, err = safe.probe(options)
   if not report then return nil, err end
   if json then output.say(output.json(report)) else output.show_report(report) end
   local first = report.warnings[1]
   if not first or first.kind == "warning" or first.kind == "remark" then return 0 end
   return exit_status.of(errors.new(first.kind, { retry = first.temporary and "later" }))
end

return { run = run }
