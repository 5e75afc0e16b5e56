/* reload: lets the running server load its config and rules again, or what comes before: rules in the
 * shadow of the running ones. */
#include <stdio.h>

#include "server/ask.h"
#include "server/commands.h"

static const struct {
    const char *option, *method, *target;
} ways[] = {
    {"--shadow", "POST", "/shadow"},
    {"--differences", "GET", "/shadow"},
    {"--drop", "DELETE", "/shadow"},
    {"--promote", "POST", "/reload?promote=1"},
};

int command_reload(const struct arguments *arguments)
{
    const char *method = "POST", *target = "/reload";
    int given = 0;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (!arguments_get(arguments, ways[i].option)) continue;
        method = ways[i].method;
        target = ways[i].target;
        given++;
    }
    if (given > 1) {
        fputs("sluice reload: one of --shadow, --differences, --drop and --promote at a time\n",
              stderr);
        return EXIT_WRONG;
    }
    const int status = ask_and_print(arguments, method, target);
    return status == 0 ? EXIT_WRONG : status < 300 ? EXIT_GOOD : EXIT_FAILED;
}
