-- Draws what spec/bench/run measured: chart.lua build/bench/results.tsv spec/bench/bench.svg
-- A bar for each client, from a thousandth of the fastest of its workload to all of it.

local FROM, TO = arg[1], arg[2]
local LABEL, BAR, VALUE, LINE, TITLE = 150, 440, 110, 17, 26
local DECADES = 3

local function escape(text)
   return (text:gsub("[<>&]", { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;" }))
end

-- -> workloads in their order, each a title and its rows
local function read()
   local workloads, by_name = {}, {}
   for line in io.lines(FROM) do
      local name, title, client, kind, value, unit, shown =
         line:match("^(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t")
      local workload = by_name[name]
      if not workload then
         workload = { title = title }
         by_name[name] = workload
         workloads[#workloads + 1] = workload
      end
      value = tonumber(value)
      if value > 0 then
         workload[#workload + 1] = { client = client, kind = kind, shown = shown,
            rate = unit == "s" and 1 / value or value }
      end
   end
   return workloads
end

local out, y = {}, 8

local function draw(format, ...)
   out[#out + 1] = format:format(...)
end

local function bar(row, fastest)
   local decades = math.max(math.log(row.rate / fastest) / math.log(10), -DECADES)
   local length = math.max(2, BAR * (1 + decades / DECADES))
   draw('<text class="%s" x="%d" y="%d" text-anchor="end">%s</text>', row.kind, LABEL - 8, y + 12,
      escape(row.client))
   draw('<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>', row.kind, LABEL, y + 2, length, LINE - 4)
   draw('<text class="%s" x="%.1f" y="%d">%s</text>', row.kind, LABEL + length + 6, y + 12, row.shown)
   y = y + LINE
end

local function group(workload)
   local fastest = 0
   for _, row in ipairs(workload) do fastest = math.max(fastest, row.rate) end
   draw('<text class="title" x="%d" y="%d">%s</text>', LABEL, y + 16, escape(workload.title))
   y = y + TITLE
   local top = y
   for _, row in ipairs(workload) do bar(row, fastest) end
   for i = 0, DECADES do
      local x = LABEL + BAR * i / DECADES
      draw('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>', x, top, x, y)
   end
   y = y + 10
end

for _, workload in ipairs(read()) do
   if workload[1] then group(workload) end
end
draw('<text x="%d" y="%d">Each bar ends at its share of the fastest; lines at 1/1000, 1/100, 1/10 '
   .. 'and all of it.</text>', LABEL, y + 14)
y = y + 24

local file = assert(io.open(TO, "w"))
file:write(([[
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img"
 aria-label="How fast lua-smtp is beside other clients">
<style>
text { font: 12px system-ui, sans-serif; fill: #57606a }
.title { font-weight: 600; font-size: 13px; fill: #24292f }
rect { fill: #afb8c1 }
rect.ours { fill: #0969da }
text.ours { font-weight: 600; fill: #0969da }
rect.limit, rect.floor { fill: none; stroke: #8c959f }
line { stroke: #8c959f; stroke-opacity: .35 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.title { fill: #f0f6fc }
rect { fill: #59636e }
rect.ours { fill: #4493f8 }
text.ours { fill: #4493f8 }
}
</style>
]]):format(LABEL + BAR + VALUE, y, LABEL + BAR + VALUE, y), table.concat(out, "\n"), "\n</svg>\n")
file:close()
