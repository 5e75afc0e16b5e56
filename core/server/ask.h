/* ask: how a command asks the running server: over the admin listener that the
 * config names, with the config's key. Answers come as text for people where the
 * listener has both (Accept: text/plain). */
#pragma once

#include "peers/call.h"

struct arguments;
struct config;

/* The same of the command's config; NULL: its faults are on stderr. xfree it. */
char *ask_public_address(const struct arguments *arguments);

/* What every such command takes: -c FILE, or --admin ADDRESS with the key in SLUICE_ADMIN_KEY; with
 * workers, which of them is asked. */
#define ASK_OPTIONS "-c=", "--admin=", "--worker="

/* Where the config's clients are served: its first listener. */
const char *ask_public(const struct config *config);

/* As call_make, with the sentence on stderr: GET, for an answer that goes on (see struct call for go_on) of one
 * worker: the first, where none is named. */
int ask_stream(const struct arguments *arguments, const char *target, call_take_f *take,
               bool (*go_on)(void *ctx), void *ctx);

/* Asks all workers one after the other, or that which is named, and prints the answers: good ones to stdout, others
 * to stderr; under a line that says whose it is, unless the command was given --json. Returns the worst status; 0:
 * somebody did not answer. */
int ask_and_print(const struct arguments *arguments, const char *method, const char *target);
