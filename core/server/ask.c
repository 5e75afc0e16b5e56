#include "server/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "server/arguments.h"
#include "server/commands.h"
#include "server/config.h"

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

/* The call with the place and the key of whom it asks. */
static int ask(const struct arguments *arguments, struct call call, call_take_f *take, void *ctx)
{
    call.address = arguments_get(arguments, "--admin");
    call.key = getenv("SLUICE_ADMIN_KEY");
    if (call.address) return make(&call, take, ctx);
    struct config *config = command_config(arguments);
    int status = 0;
    if (config && config->admin.count) {
        call.address = config->admin.items[0];
        call.key = config->admin_key;
        status = make(&call, take, ctx);
    } else if (config) {
        fprintf(stderr, "sluice: %s: admin is an empty list, so nobody can be asked\n", config->path);
    }
    config_free(config);
    return status;
}

int ask_server(const struct arguments *arguments, const char *method, const char *target,
               call_take_f *take, void *ctx)
{
    return ask(arguments, (struct call){.method = method, .target = target}, take, ctx);
}

int ask_stream(const struct arguments *arguments, const char *target, call_take_f *take,
               bool (*go_on)(void *ctx), void *ctx)
{
    return ask(arguments, (struct call){.method = "GET", .target = target, .go_on = go_on}, take,
               ctx);
}

static bool print(void *ctx, int status, struct bytes piece)
{
    (void)ctx;
    fwrite(piece.data, 1, piece.size, status < 300 ? stdout : stderr);
    return true;
}

int ask_and_print(const struct arguments *arguments, const char *method, const char *target)
{
    return ask_server(arguments, method, target, print, NULL);
}
