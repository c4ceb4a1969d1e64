-- One host without a port. $MODULE is loaded, by the loop of examples/prosody.
-- luacheck: std none, globals ENV_PWD ENV_TMPDIR ENV_MODULE ENV_CA_FILE ENV_PORT_slow VirtualHost, ignore 111
plugin_paths = { ENV_PWD .. "/spec/hosts/prosody", ENV_PWD .. "/examples/prosody" }
data_path = ENV_TMPDIR
pidfile = ENV_TMPDIR .. "/prosody.pid"
run_as_root = true
log = { info = "*console" }
modules_enabled = { ENV_MODULE }
modules_disabled = { "c2s", "s2s", "offline" }
VirtualHost "localhost"
