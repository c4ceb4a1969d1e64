--- Colours in what the command prints: on a terminal, unless the user has set NO_COLOR
-- (https://no-color.org).
-- @module smtp.cli.colors

local core = require "smtp.core"

local colors = {}

local codes = { red = 31, green = 32, yellow = 33, magenta = 35, cyan = 36 }
local descriptors = { [io.stdout] = 1, [io.stderr] = 2 }

--- Does a file show colours?
---@param file file*   standard output or standard error
function colors.are_on(file)
   local term, descriptor = os.getenv "TERM" or "", descriptors[file]
   return (os.getenv "NO_COLOR" or "") == "" and term ~= "" and term ~= "dumb"
      and descriptor ~= nil and core.terminal(descriptor) ~= nil
end

--- A text in a colour.
---@param color "red"|"green"|"yellow"|"magenta"|"cyan"
---@param text string   that a terminal can show
function colors.wrap(color, text)
   return ("\27[%dm%s\27[0m"):format(codes[color], text)
end

--- A text in a colour where the file shows colours, else the text.
---@param color string  see colors.wrap
---@param text string   that a terminal can show
---@param file file*    standard output or standard error
function colors.paint(color, text, file)
   return colors.are_on(file) and colors.wrap(color, text) or text
end

return colors
