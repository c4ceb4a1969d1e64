std = "min"
max_line_length = 100
files["spec"] = { std = "min+busted" }
files["lua/smtp/types.lua"] = { ignore = { "2.." } }
