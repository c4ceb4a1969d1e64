-- Draws what spec/bench/run measured, and writes all of it as tables:
-- chart.lua build/bench/results.tsv spec/bench/bench.svg spec/bench/results.md
--
-- Each panel has one linear scale, from nothing to the machine's limit: what a program reaches that
-- sends prepared bytes and does nothing else.
local FROM, SVG, TABLES = arg[1], arg[2], arg[3]

local PANELS = {
   { "kept", "1 KiB messages, one connection" },
   { "new", "1 KiB messages, a new connection each" },
   { "starttls", "The same with STARTTLS" },
   { "conc", "200 messages at once, 20 ms away" },
   { "attach", "An attachment of 25 MiB" },
   { "dots", "A text of 25 MiB" },
}
-- What is drawn: the first six of these that were measured, the fastest above.
local CLIENTS = { "lua-smtp", "lua-smtp eager", "libESMTP (C)", "Go net/smtp", "libcurl (C)", "LuaSocket",
   "Python smtplib", "Nodemailer", "Symfony Mailer", "Postfix smtp-source" }
local BARS = 6

-- ---- what was measured ----

-- -> the machine, and workloads in their order and by name, each with a title and its rows
local function read()
   local workloads, by_name, machine = {}, {}, ""
   for line in io.lines(FROM) do
      local fields = {}
      for field in (line .. "\t"):gmatch("(.-)\t") do fields[#fields + 1] = field end
      if line:find("^# ") then
         machine = line:sub(3)
      else
         local name, title = fields[1], fields[2]
         local workload = by_name[name]
         if not workload then
            workload = { title = title, by_label = {} }
            by_name[name], workloads[#workloads + 1] = workload, workload
         end
         local value, unit = tonumber(fields[5]), fields[6]
         local row = { label = fields[3], kind = fields[4], shown = fields[7], spread = fields[8] or "-",
            share = fields[9] or "-", turns = fields[10] or "-", word = fields[11] or "",
            of_fastest = tonumber(fields[12]), -- the median of ratios of the same round
            rate = value > 0 and (unit == "s" and 1 / value or value) or 0 }
         workload[#workload + 1], workload.by_label[row.label] = row, row
         local fastest = workload.limit and workload.limit.rate or 0
         if row.kind == "limit" and row.rate > fastest then workload.limit = row end
      end
   end
   return machine, workloads, by_name
end

local machine, workloads, by_name = read()

-- ---- the picture ----

local WIDTH, COLUMN, GAP = 700, 338, 24
local LABEL, VALUE, LINE, TITLE, FOOT = 118, 70, 18, 24, 22
local BAR = COLUMN - LABEL - VALUE - 8

local out = {}

local function draw(format, ...)
   out[#out + 1] = format:format(...)
end

local function escape(text)
   return (text:gsub("[<>&]", { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;" }))
end

-- "12,345 msg/s" -> "12,345/s"
local function short(shown)
   return (shown:gsub(" msg/s", "/s"))
end

local function bar(row, limit, x, y)
   local share = math.min(row.of_fastest or row.rate / limit.rate, 1)
   draw('<text class="%s" x="%d" y="%d" text-anchor="end">%s</text>', row.kind, x + LABEL - 6, y + 13,
      escape((row.label:gsub("^lua%-smtp ", "lua-smtp, "))))
   draw('<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>', row.kind, x + LABEL, y + 2,
      math.max(1.5, BAR * share), LINE - 5)
   draw('<text class="%s" x="%d" y="%d" text-anchor="end">%s</text>', row.kind, x + COLUMN, y + 13, short(row.shown))
end

local function panel(workload, title, x, y)
   local limit, rows, top = workload.limit, {}, y + TITLE
   draw('<text class="title" x="%d" y="%d">%s</text>', x, y + 15, escape(title))
   for _, label in ipairs(CLIENTS) do
      local row = workload.by_label[label]
      if row and row.rate > 0 and #rows < BARS then rows[#rows + 1] = row end
   end
   table.sort(rows, function(a, b) return (a.of_fastest or a.rate) > (b.of_fastest or b.rate) end)
   for i = 1, #rows do bar(rows[i], limit, x, top + (i - 1) * LINE) end
   local foot, edge = top + BARS * LINE, x + LABEL + BAR
   draw('<line class="zero" x1="%d" y1="%d" x2="%d" y2="%d"/>', x + LABEL, top, x + LABEL, foot)
   draw('<line class="edge" x1="%d" y1="%d" x2="%d" y2="%d"/>', edge, top - 2, edge, foot + 2)
   draw('<text class="edge" x="%d" y="%d" text-anchor="end">the machine\'s limit: %s</text>', edge, foot + 14,
      short(limit.shown))
end

local HEIGHT = TITLE + BARS * LINE + FOOT + 14

local function picture()
   local y, count = 4, 0
   for _, one in ipairs(PANELS) do
      local workload = by_name[one[1]]
      if workload and workload.limit then
         panel(workload, one[2], count % 2 * (COLUMN + GAP), y)
         count = count + 1
         if count % 2 == 0 then y = y + HEIGHT end
      end
   end
   if count % 2 == 1 then y = y + HEIGHT end
   draw('<text x="0" y="%d">A bar ends at its share of what this machine can do: a longer bar is faster. '
      .. '"eager" goes ahead of answers.</text>', y + 10)
   draw('<text x="0" y="%d">%s.</text>', y + 27, escape(machine))
   return y + 34
end

local STYLE = [[
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a }
.title { font-weight: 600; font-size: 13px; fill: #24292f }
rect { fill: #afb8c1 }
rect.ours { fill: #0969da }
text.ours { font-weight: 600; fill: #0969da }
text.edge { font-size: 11px; fill: #9a6700 }
line.zero { stroke: #8c959f; stroke-opacity: .5 }
line.edge { stroke: #9a6700; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.title { fill: #f0f6fc }
rect { fill: #59636e }
rect.ours { fill: #4493f8 }
text.ours { fill: #4493f8 }
text.edge { fill: #d29922 }
line.edge { stroke: #d29922 }
}]]

local function write(path, text)
   local file = assert(io.open(path, "w"))
   file:write(text)
   file:close()
end

local height = picture()
write(SVG, ([[
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img"
 aria-label="How fast lua-smtp is beside other clients, as shares of what the machine can do">
<style>
%s
</style>
%s
</svg>
]]):format(WIDTH, height, WIDTH, height, STYLE, table.concat(out, "\n")))

-- ---- the tables ----

local lines = {}

local function say(...)
   lines[#lines + 1] = table.concat({ ... })
end

say "# How fast\n"
say("Measured by `make bench`: ", machine, ".\n")
say [[
Every client first proves to a server that it sends exactly what it should. Then all take turns. Each value is a
median; the spread is half of the distance from the lowest to the highest one. "Of the limit" compares values of the
same round. Client and server share one core; for 25 MiB and for 20 ms each has its own.

- *machine's limit*: a program in C that sends prepared bytes, in as few writes as possible, and only counts replies.
  *waiting*: for the answer to the recipients before it sends the message, as this library does.
- *limit of Lua*: the same from Lua, with a table for each message and nothing else.
- *eager*: with `pipelining = "eager"`. *composed*: made from `subject` and `text` instead of `raw`.
- *round trips*: how often the client waited for the server, for each message.
]]
for _, workload in ipairs(workloads) do
   say("## ", workload.title, "\n")
   say "| client | | spread | of the limit | round trips |"
   say "|---|---:|---:|---:|---:|"
   for _, row in ipairs(workload) do
      local label = row.kind == "ours" and "**" .. row.label .. "**" or row.label
      say("| ", table.concat({ label, row.rate > 0 and row.shown or row.word, row.spread, row.share, row.turns },
         " | "), " |")
   end
   say ""
end
write(TABLES, table.concat(lines, "\n"))
