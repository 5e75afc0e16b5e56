/* replay: which rule files a recording runs through; the rest is a Lua program
 * (scripts/sluice/tool/replay.lua) on the rig. */
#include <glob.h>
#include <stdio.h>

#include "base/alloc.h"
#include "script/tool.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/places.h"

struct words {
    char **items;
    size_t count;
};

static void add(struct words *words, const char *word)
{
    words->items = xrealloc(words->items, (words->count + 1) * sizeof(char *));
    words->items[words->count++] = xstrdup(word);
}

static void add_option(struct words *words, const struct arguments *arguments, const char *option)
{
    const char *value = arguments_get(arguments, option);
    if (!value) return;
    add(words, option);
    if (*value) add(words, value);
}

/* The files that the config names. False: a line in errors. */
static bool add_rules(struct words *words, const struct config *config, struct buf *errors)
{
    for (size_t i = 0; i < config->rules.count; i++) {
        char *pattern = config_resolve(config, config->rules.items[i]);
        glob_t matches;
        const bool good = glob(pattern, 0, NULL, &matches) == 0;
        if (!good)
            buf_printf(errors, "%s: rules: no file matches \"%s\"\n", config->path,
                       config->rules.items[i]);
        for (size_t j = 0; good && j < matches.gl_pathc; j++) add(words, matches.gl_pathv[j]);
        globfree(&matches);
        xfree(pattern);
        if (!good) return false;
    }
    return true;
}

static int run(const struct config *config, const struct words *words, struct buf *errors)
{
    char *scripts = places_scripts(config, errors), *modules = places_modules(errors);
    const struct tool tool = {.name = "replay",
                              .scripts_dir = scripts,
                              .modules_dir = modules,
                              .words = (const char *const *)words->items,
                              .word_count = words->count};
    const int code = scripts && modules ? tool_run(&tool) : EXIT_WRONG;
    xfree(scripts);
    xfree(modules);
    return code;
}

/* Why the words behind the command will not do, or NULL. */
static const char *fault_of(const struct arguments *arguments)
{
    const bool rules = arguments_get(arguments, "--rules");
    if (!arguments->word_count) return "it needs a recording's FILE";
    if (rules && arguments_get(arguments, "-c")) return "-c and --rules both name the rules";
    if (rules && arguments->word_count == 1) return "--rules needs rule files";
    if (rules || arguments->word_count == 1) return NULL;
    return "one recording at a time; --rules names rule files";
}

int command_replay(const struct arguments *arguments)
{
    const char *fault = fault_of(arguments);
    if (fault) {
        fprintf(stderr, "sluice replay: %s; see sluice --help\n", fault);
        return EXIT_WRONG;
    }
    const bool own = arguments_get(arguments, "--rules");
    struct config *config = own ? NULL : command_config(arguments);
    struct words words = {NULL, 0};
    struct buf errors = BUF_EMPTY;
    add_option(&words, arguments, "--expect");
    add_option(&words, arguments, "--json");
    for (size_t i = 0; i < arguments->word_count; i++) add(&words, arguments->words[i]);
    int code = EXIT_WRONG;
    if (own || (config && add_rules(&words, config, &errors))) code = run(config, &words, &errors);
    if (errors.size) fprintf(stderr, "sluice replay: %s", buf_text(&errors));
    for (size_t i = 0; i < words.count; i++) xfree(words.items[i]);
    xfree(words.items);
    config_free(config);
    buf_destroy(&errors);
    return code;
}
