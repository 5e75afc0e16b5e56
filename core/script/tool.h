/* tool: a program of the library's (scripts/sluice/tool/NAME.lua) in a plain Lua:
 * the whole of LuaJIT, its require finding the library, the rig's module and what
 * Debian installs. For commands that run beside the server, never inside it. */
#pragma once

#include <stddef.h>

struct tool {
    const char *name;
    const char *scripts_dir; /* where sluice.lua is */
    const char *modules_dir; /* where sluice/core.so is, the rig's module */
    const char *const *words; /* arg[1], arg[2], ... */
    size_t word_count;
};

/* Runs it; returns what it returns (a number, nothing is 0), or 2 where it raised, which is said on
 * stderr. */
int tool_run(const struct tool *tool);
