/* The commands that are Lua programs: they run beside the server, on the rig. */
#include <stdio.h>

#include "base/alloc.h"
#include "script/tool.h"
#include "server/commands.h"
#include "server/places.h"

static int run_tool(const char *name, const struct arguments *arguments)
{
    struct buf errors = BUF_EMPTY;
    char *scripts = places_scripts(NULL, &errors), *modules = places_modules(&errors);
    const struct tool tool = {.name = name,
                              .scripts_dir = scripts,
                              .modules_dir = modules,
                              .words = arguments->words,
                              .word_count = arguments->word_count};
    const int code = scripts && modules ? tool_run(&tool) : EXIT_WRONG;
    if (errors.size) fprintf(stderr, "sluice %s: %s", name, buf_text(&errors));
    buf_destroy(&errors);
    xfree(scripts);
    xfree(modules);
    return code;
}

int command_new(const struct arguments *arguments)
{
    return run_tool("new", arguments);
}

int command_spec(const struct arguments *arguments)
{
    return run_tool("spec", arguments);
}
