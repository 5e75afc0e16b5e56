std = "luajit"
max_line_length = 120
exclude_files = { "build", "**/node_modules", "spec/bad", "spec/doubtful" }

files["spec"]  = { std = "+busted" }
files["scripts/sluice/tool/new/spec.lua"] = { std = "+busted" }
files["rules"] = { unused_args = false } -- what a hook is called with is worth reading
