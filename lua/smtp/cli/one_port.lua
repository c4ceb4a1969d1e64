--- The report on one port, for lua-smtp probe HOST:PORT.
-- @module smtp.cli.one_port

local errors = require "smtp.errors"
local exit_status = require "smtp.cli.exit_status"
local output = require "smtp.cli.output"
local probe_report = require "smtp.cli.probe_report"
local url = require "smtp.options.url"
local recommendation = require "smtp.cli.recommendation"
local safe = require "smtp.safe"
local wording = require "smtp.cli.wording"

local one_port = {}

--- Probe a server. -> the report in the words of the command, or nil and the error in them
---@param options table
---@return table|nil report
---@return table|nil err
function one_port.look(options)
   local report, err = safe.probe(options)
   wording.apply(report or err)
   return report, err
end

--- Probe a server, and print the report.
---@param options table          of smtp.probe
---@param secret_flags string[]  the flags that gave the secrets
---@param secret? string         "password" or "token", where one was given
---@param json? boolean
---@return number|nil            exit status
---@return table|nil err
function one_port.run(options, secret_flags, secret, json)
   local report, err = one_port.look(options)
   if not report then return nil, err end
   if json then
      output.say(output.json(report))
   else
      local use = recommendation.of(report.options,
         recommendation.login(url.complete(options)), options.service)
      probe_report.show(report, recommendation.flags(use, secret_flags),
         recommendation.lua(use, secret))
   end
   local first = report.warnings[1]
   if next(report.options) ~= nil or not first then return 0 end -- mail can be sent with these
   return exit_status.of(errors.new(first.kind, { retry = first.temporary and "later" }))
end

return one_port
