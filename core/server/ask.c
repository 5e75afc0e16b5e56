#include "server/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/text.h"
#include "server/arguments.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/worker.h"

const char *ask_public(const struct config *config)
{
    return config->listen.items[0];
}

char *ask_public_address(const struct arguments *arguments)
{
    struct config *config = command_config(arguments);
    char *address = config && config->listen.count ? xstrdup(ask_public(config)) : NULL;
    if (config && !address)
        fprintf(stderr, "sluice: %s: listen is an empty list; give the stream's URL\n", config->path);
    config_free(config);
    return address;
}

static int make(const struct call *call, call_take_f *take, void *ctx)
{
    struct buf error = BUF_EMPTY;
    const int status = call_make(call, take, ctx, &error);
    if (!status) fprintf(stderr, "sluice: %s; does it run?\n", buf_text(&error));
    buf_destroy(&error);
    return status;
}

/* Which worker --worker names: its number, -1: none is named; -2: it is not one of `count`, as stderr says. */
static long long named(const struct arguments *arguments, uint64_t count)
{
    const char *word = arguments_get(arguments, "--worker");
    const long long index = word ? text_number(bytes_of(word), (long long)count - 1) : -1;
    if (!word || index >= 0) return index;
    if (count > 1)
        fprintf(stderr, "sluice: --worker takes a number from 0 to %llu, not '%s'\n",
                (unsigned long long)count - 1, word);
    else
        fputs("sluice: --worker: the config has one worker\n", stderr);
    return -2;
}

/* Whom the command asks: one of the config's admin listeners or, without a config, the address that was given. */
struct asked {
    struct config *config;
    const char *address;
    long long worker; /* that is named; -1: none */
};

static bool find(struct asked *asked, const struct arguments *arguments)
{
    *asked = (struct asked){.address = arguments_get(arguments, "--admin"), .worker = -1};
    if (asked->address) {
        if (!arguments_get(arguments, "--worker")) return true;
        fputs("sluice: --admin names one worker's listener, so --worker says nothing more\n", stderr);
        return false;
    }
    asked->config = command_config(arguments);
    if (!asked->config) return false;
    if (asked->config->admin.count) {
        asked->address = asked->config->admin.items[0];
        asked->worker = named(arguments, asked->config->workers);
        return asked->worker >= -1;
    }
    fprintf(stderr, "sluice: %s: admin is an empty list, so nobody can be asked\n",
            asked->config->path);
    return false;
}

/* The call with the place and the key of whom it asks. */
static int ask(const struct asked *asked, unsigned worker, struct call call, call_take_f *take, void *ctx)
{
    struct buf address = BUF_EMPTY;
    worker_admin(asked->address, worker, &address);
    call.address = buf_text(&address);
    call.key = asked->config ? asked->config->admin_key : getenv("SLUICE_ADMIN_KEY");
    const int status = make(&call, take, ctx);
    buf_destroy(&address);
    return status;
}

int ask_stream(const struct arguments *arguments, const char *target, call_take_f *take,
               bool (*go_on)(void *ctx), void *ctx)
{
    const struct call call = {.method = "GET", .target = target, .go_on = go_on};
    struct asked asked;
    int status = 0;
    if (find(&asked, arguments)) {
        if (asked.worker < 0 && asked.config && asked.config->workers > 1)
            fprintf(stderr, "sluice: of %llu workers this is the first; --worker names another\n",
                    (unsigned long long)asked.config->workers);
        status = ask(&asked, asked.worker < 0 ? 0 : (unsigned)asked.worker, call, take, ctx);
    }
    config_free(asked.config);
    return status;
}

struct printing {
    long long worker; /* whose line is to be printed first; -1: nobody's */
};

static bool print(void *ctx, int status, struct bytes piece)
{
    struct printing *printing = ctx;
    FILE *out = status < 300 ? stdout : stderr;
    if (printing->worker >= 0) fprintf(out, "worker %lld:\n", printing->worker);
    printing->worker = -1;
    fwrite(piece.data, 1, piece.size, out);
    return true;
}

static int worse(int a, int b)
{
    return !a || !b ? 0 : a > b ? a : b;
}

static int ask_all(const struct asked *asked, const struct call *call, bool headed)
{
    int worst = 200;
    for (unsigned i = 0; i < asked->config->workers; i++) {
        struct printing printing = {headed ? (long long)i : -1};
        worst = worse(worst, ask(asked, i, *call, print, &printing));
    }
    return worst;
}

int ask_and_print(const struct arguments *arguments, const char *method, const char *target)
{
    const struct call call = {.method = method, .target = target};
    struct printing printing = {-1};
    struct asked asked;
    int status = 0;
    if (!find(&asked, arguments))
        status = 0;
    else if (asked.config && asked.config->workers > 1 && asked.worker < 0)
        status = ask_all(&asked, &call, !arguments_get(arguments, "--json"));
    else
        status = ask(&asked, asked.worker < 0 ? 0 : (unsigned)asked.worker, call, print, &printing);
    config_free(asked.config);
    return status;
}
