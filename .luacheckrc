std = "luajit"
max_line_length = 120
exclude_files = { "build", "**/node_modules", "spec/bad", "spec/doubtful" }

files["spec"]  = { std = "+busted" }
files["scripts/sluice/tool/new/spec.lua"] = { std = "+busted" }
files["rules"] = { unused_args = false } -- what a hook is called with is worth reading

-- These run in a Redis server, each behind epoch.lua.
files["core/cluster"] = {
  std          = "lua51",
  read_globals = { "redis", "KEYS", "ARGV", "prefix", "epoch", "now_us", "digits", "newest" },
  globals      = { "floor" },
}
files["core/cluster/epoch.lua"] = { ignore = { "211" } }
