/* ask: how a command asks the running server: over the admin listener that the
 * config names, with the config's key. Answers come as text for people where the
 * listener has both (Accept: text/plain). */
#pragma once

#include "peers/call.h"

struct arguments;
struct config;

/* The same of the command's config; NULL: its faults are on stderr. xfree it. */
char *ask_public_address(const struct arguments *arguments);

/* What every such command takes: -c FILE, or --admin ADDRESS with the key in SLUICE_ADMIN_KEY. */
#define ASK_OPTIONS "-c=", "--admin="

/* Where the config's clients are served: its first listener. */
const char *ask_public(const struct config *config);

/* As call_make, with the sentence on stderr. */
int ask_server(const struct arguments *arguments, const char *method, const char *target,
               call_take_f *take, void *ctx);

/* The same for an answer that goes on: see struct call for go_on. */
int ask_stream(const struct arguments *arguments, const char *target, call_take_f *take,
               bool (*go_on)(void *ctx), void *ctx);

/* The same, printing the answer: a good one to stdout, another to stderr. */
int ask_and_print(const struct arguments *arguments, const char *method, const char *target);
