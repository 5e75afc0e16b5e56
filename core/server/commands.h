/* commands: what `sluice WORD` does; one file a command, or a few small ones. */
#pragma once

#include "server/arguments.h"

struct buf;
struct config;
struct server;

/* 1: what was asked for is not the case, or needs a look; 2: the command line, the config or the
 * rules are wrong, or nobody answers. */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_WRONG = 2 };

/* The config that -c names, or sse.lua.conf in this folder. NULL: its faults are on stderr. */
struct config *command_config(const struct arguments *arguments);

/* A server that listens nowhere, of that config; or of the standards, and the rule files that are the
 * words, if there are any. server_free it. NULL: its faults are on stderr. */
struct server *command_server(const struct arguments *arguments);

/* Prints to stdout, destroys, and is good. */
int command_print(struct buf *out);

int command_run(const struct arguments *arguments);
int command_check(const struct arguments *arguments);
int command_conf(const struct arguments *arguments);
int command_keys_page(const struct arguments *arguments);
int command_metrics_page(const struct arguments *arguments);
int command_reload(const struct arguments *arguments);
int command_publish(const struct arguments *arguments);
int command_docs(const struct arguments *arguments);
int command_tail(const struct arguments *arguments);
int command_explain(const struct arguments *arguments);
int command_record(const struct arguments *arguments);
int command_replay(const struct arguments *arguments);
int command_new(const struct arguments *arguments);
int command_spec(const struct arguments *arguments);
