#include <stdio.h>

#include "base/text.h"
#include "server/ask.h"
#include "server/commands.h"

static void add(struct buf *target, const struct arguments *arguments, const char *option)
{
    const char *value = arguments_get(arguments, option);
    if (!value) return;
    buf_printf(target, "%s%s=", target->size ? "&" : "/explain?", option + 2);
    text_percent_encode(target, bytes_of(value));
}

int command_explain(const struct arguments *arguments)
{
    struct buf target = BUF_EMPTY;
    add(&target, arguments, "--topic");
    add(&target, arguments, "--user");
    add(&target, arguments, "--id");
    if (!target.size) {
        fputs("sluice explain: needs --topic NAME, --user NAME or --id ID; see sluice --help\n",
              stderr);
        return EXIT_WRONG;
    }
    add(&target, arguments, "--last");
    if (arguments_get(arguments, "--json")) buf_add_text(&target, "&format=json");
    const int status = ask_and_print(arguments, "GET", buf_text(&target));
    buf_destroy(&target);
    return status == 0 ? EXIT_WRONG : status < 300 ? EXIT_GOOD : EXIT_FAILED;
}
