/* run and check: what makes a server. */
#include <stdio.h>
#include <unistd.h>

#include "server/commands.h"
#include "server/config.h"
#include "server/keys.h"
#include "server/master.h"
#include "server/metrics.h"
#include "server/server.h"
#include "server/worker.h"

struct config *command_config(const struct arguments *arguments)
{
    static const char standard[] = "sse.lua.conf";
    const char *path = arguments_get(arguments, "-c");
    struct buf errors = BUF_EMPTY;
    struct config *config = config_read(path ? path : standard, &errors);
    fputs(buf_text(&errors), stderr);
    if (!config && !path && access(standard, F_OK) != 0)
        fputs("-c FILE names a config file that is elsewhere; sluice new APP writes one to start from\n",
              stderr);
    buf_destroy(&errors);
    return config;
}

int command_print(struct buf *out)
{
    fwrite(out->data, 1, out->size, stdout);
    buf_destroy(out);
    return EXIT_GOOD;
}

struct server *command_server(const struct arguments *arguments)
{
    struct config *config = arguments->word_count
                                ? config_of_rules(arguments->words, arguments->word_count)
                                : command_config(arguments);
    struct buf errors = BUF_EMPTY;
    struct server *server = config ? server_new(config, true, &errors) : NULL;
    fputs(buf_text(&errors), stderr);
    buf_destroy(&errors);
    return server;
}

/* Makes a server of the config (NULL: was not read) and hands it to `use`. */
static int with_server(struct config *config, bool check, int (*use)(struct server *server))
{
    struct buf errors = BUF_EMPTY;
    struct server *server = config ? server_new(config, check, &errors) : NULL;
    int code = server ? use(server) : EXIT_WRONG;
    fputs(buf_text(&errors), stderr);
    if (server) server_free(server);
    buf_destroy(&errors);
    return code;
}

static int describe(struct server *server)
{
    struct buf out = BUF_EMPTY;
    server_describe(server, &out);
    const size_t described = out.size;
    buf_add_text(&out, "\nProbably not meant:\n");
    const size_t headed = out.size;
    server_doubt(server, &out);
    const bool doubtful = out.size > headed;
    if (!doubtful) out.size = described;
    command_print(&out);
    return doubtful ? EXIT_FAILED : EXIT_GOOD;
}

int command_run(const struct arguments *arguments)
{
    struct config *config = command_config(arguments);
    if (config && config->workers > 1 && !worker_is_told()) return master_run(config);
    return with_server(config, false, server_run);
}

int command_check(const struct arguments *arguments)
{
    return with_server(command_config(arguments), true, describe);
}

/* ---- what is written of the tables; `make docs` keeps it ---- */

static int print_written(void (*write)(struct buf *out))
{
    struct buf out = BUF_EMPTY;
    write(&out);
    return command_print(&out);
}

int command_conf(const struct arguments *arguments)
{
    (void)arguments;
    return print_written(keys_write_conf);
}

int command_keys_page(const struct arguments *arguments)
{
    (void)arguments;
    return print_written(keys_write_page);
}

int command_metrics_page(const struct arguments *arguments)
{
    (void)arguments;
    return print_written(metrics_write_page);
}
