#include <stdio.h>

#include "base/text.h"
#include "engine/explanation.h"
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
    const char *last = arguments_get(arguments, "--last");
    if (last && text_number(bytes_of(last), EXPLANATION_LAST_MAX) < 1) {
        fprintf(stderr, "sluice explain: --last takes a number from 1 to %d, not '%s'\n",
                EXPLANATION_LAST_MAX, last);
        buf_destroy(&target);
        return EXIT_WRONG;
    }
    add(&target, arguments, "--last");
    if (arguments_get(arguments, "--json")) buf_add_text(&target, "&format=json");
    const int status = ask_and_print(arguments, "GET", buf_text(&target));
    buf_destroy(&target);
    return status == 0 ? EXIT_WRONG : status < 300 ? EXIT_GOOD : EXIT_FAILED;
}
