std = "min"
max_line_length = 100
files["lua"] = { max_cyclomatic_complexity = 12 }
files["spec"] = { std = "min+busted", max_line_length = 120 }
files["examples/contact-form"] = { globals = { "ngx" } }
files["examples/metrics"] = { globals = { "ngx" } }
files["examples/password-reset"] = { globals = { "ngx" } }
files["examples/outbox-nginx"] = { globals = { "ngx" } }
files["examples/apache"] = { globals = { "apache2", "handle" } }
files["examples/haproxy"] = { globals = { "core" } }
files["examples/neovim.lua"] = { globals = { "vim" } }
files["examples/prosody"] = { globals = { "module" } }
files["examples/app_spec.lua"] = { std = "min+busted" }
files["spec/hosts"] = { globals = { "core", "module", "vim" } }
files["spec/nginx"] = { globals = { "ngx" } }
files["spec/bench/nginx"] = { globals = { "ngx" } }
files["lua/smtp/types.lua"] = { max_line_length = 120 }
