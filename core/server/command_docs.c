/* docs: the channels pages of rule files, on stdout: of the config's, or of those that are named. */
#include <stdio.h>

#include "server/commands.h"
#include "server/rules.h"
#include "server/server.h"

static bool write_pages(const struct rules *rules, struct buf *out)
{
    struct buf errors = BUF_EMPTY;
    bool good = true;
    for (size_t i = 0; good && rules_plan(rules, i, NULL); i++) {
        if (i) buf_add_char(out, '\n');
        good = rules_write_channels(rules, i, out, &errors);
    }
    fputs(buf_text(&errors), stderr);
    buf_destroy(&errors);
    return good;
}

int command_docs(const struct arguments *arguments)
{
    if (arguments->word_count && arguments_get(arguments, "-c")) {
        fputs("sluice docs: -c and rule files both name the rules; see sluice --help\n", stderr);
        return EXIT_WRONG;
    }
    struct buf out = BUF_EMPTY;
    struct server *server = command_server(arguments);
    const bool good = server && write_pages(server->rules, &out);
    if (server) server_free(server);
    if (good) return command_print(&out);
    buf_destroy(&out);
    return EXIT_WRONG;
}
