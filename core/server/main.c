/* The command line. Exit codes: 0 well, 1 something failed, 2 the command line,
 * the config or the rules are wrong, or an address cannot be had. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "server/config.h"
#include "server/keys.h"
#include "server/metrics.h"
#include "server/server.h"
#include "server/version.h"

enum { EXIT_GOOD = 0, EXIT_WRONG = 2 };

static const char help[] =
    "Sluice, a Lua-scriptable event server.\n"
    "\n"
    "  sluice [run] -c FILE     serve what the config file says\n"
    "  sluice check -c FILE     load config and rules as a start would, and print what would be served\n"
    "  sluice conf              print a config file with every key explained\n"
    "  sluice --version\n"
    "  sluice --help\n"
    "\n"
    "Without -c the config file is sse.lua.conf in this folder.\n"
    "Signals: TERM and INT drain and end it.\n"
    "Exit codes: 0 well; 2 the command line, config or rules are wrong, or an address is taken.\n";

struct command {
    const char *name;
    int (*run)(const char *config);
};

static int complain(struct buf *errors)
{
    fputs(buf_text(errors), stderr);
    buf_destroy(errors);
    return EXIT_WRONG;
}

/* Reads the config and makes a server of it; hands both to `use`. */
static int with_server(const char *path, bool check, int (*use)(struct server *server))
{
    struct buf errors = BUF_EMPTY;
    struct config *config = config_read(path, &errors);
    struct server *server = config ? server_new(config, check, &errors) : NULL;
    int code = server ? use(server) : complain(&errors);
    if (server) server_free(server);
    config_free(config);
    buf_destroy(&errors);
    return code;
}

static int print(struct buf *out)
{
    fwrite(out->data, 1, out->size, stdout);
    buf_destroy(out);
    return EXIT_GOOD;
}

static int describe(struct server *server)
{
    struct buf out = BUF_EMPTY;
    server_describe(server, &out);
    return print(&out);
}

static int command_run(const char *config)
{
    return with_server(config, false, server_run);
}

static int command_check(const char *config)
{
    return with_server(config, true, describe);
}

static int print_written(void (*write)(struct buf *out))
{
    struct buf out = BUF_EMPTY;
    write(&out);
    return print(&out);
}

static int command_conf(const char *config)
{
    (void)config;
    return print_written(keys_write_conf);
}

/* Pages of docs/ that come from tables; `make docs` writes them. */
static int command_keys_page(const char *config)
{
    (void)config;
    return print_written(keys_write_page);
}

static int command_metrics_page(const char *config)
{
    (void)config;
    return print_written(metrics_write_page);
}

static int command_version(const char *config)
{
    (void)config;
    puts("sluice " SLUICE_VERSION);
    return EXIT_GOOD;
}

static int command_help(const char *config)
{
    (void)config;
    fputs(help, stdout);
    return EXIT_GOOD;
}

static const struct command commands[] = {
    {"run", command_run},
    {"check", command_check},
    {"conf", command_conf},
    {"docs-config", command_keys_page},
    {"docs-metrics", command_metrics_page},
    {"--version", command_version},
    {"-V", command_version},
    {"--help", command_help},
    {"-h", command_help},
    {"help", command_help},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int one_too_many(const char *word)
{
    fprintf(stderr, "sluice: '%s' is one command too many; see sluice --help\n", word);
    return EXIT_WRONG;
}

static int unknown(const char *word)
{
    const char *names[COMMANDS + 2];
    for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    names[COMMANDS] = "-c";
    names[COMMANDS + 1] = NULL;
    const char *nearest = text_nearest(word, names);
    fprintf(stderr, "sluice: unknown argument '%s'%s%s%s; see sluice --help\n", word,
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return EXIT_WRONG;
}

int main(int argc, char **argv)
{
    const struct command *command = NULL;
    const char *config = "sse.lua.conf";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) {
            if (++i == argc) {
                fputs("sluice: -c needs a file\n", stderr);
                return EXIT_WRONG;
            }
            config = argv[i];
            continue;
        }
        const struct command *found = find(argv[i]);
        if (!found) return unknown(argv[i]);
        if (command) return one_too_many(argv[i]);
        command = found;
    }
    return command ? command->run(config) : command_run(config);
}
