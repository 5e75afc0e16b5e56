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
for _, name in ipairs { "tab", "raise", "posted", "due", "row", "tell" } do -- behind watermark.lua, too
  files["core/cluster/watermark_" .. name .. ".lua"] = {
    read_globals = { "node", "rules", "base", "pending", "now_ms", "alive", "under_way", "name_of", "read_tabs",
      "write_tab", "who_of", "begin_post", "make_pending", "DAY_MS", "WITHOUT_STREAM_MS", "TABS_MAX", "LOOK_MS" },
  }
end
files["core/cluster/watermark.lua"] = { ignore = { "211" } }
files["core/cluster/epoch.lua"] = { ignore = { "211" } }
files["core/cluster/crowd.lua"] = { ignore = { "211" }, read_globals = { "cmsgpack" } } -- in front of these:
files["core/cluster/crowd_*.lua"] = { read_globals = { "root", "keep", "app", "node", "session", "now", "BATCH",
  "DEAD_MS", "entry_of", "parts_of", "owed_of", "is_current", "inherit", "read", "settle", "answer" } }
