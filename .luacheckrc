std = "luajit"
max_line_length = 120
exclude_files = { "build", "**/node_modules" }

files["spec"] = { std = "+busted" }
