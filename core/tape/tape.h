/* tape: a recording as it is written: one JSON object a line, each with `t`, the
 * milliseconds since the beginning, and `what` it is. The first line tells of the
 * recording itself, the last one why it is over. Nothing is written raw: every
 * text goes through tape/redact.h.
 *
 * What was written and not taken is bounded. A reader that is too slow ends the recording; what is
 * recorded never waits for it. docs/recordings.md is the format. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "ports/clock.h"
#include "ports/exchange.h"
#include "tape/redact.h"

struct entry;
struct tape;

struct tape_options {
    const struct clock *clock;
    const char *const *names; /* of secrets, besides those that redact.h always knows */
    size_t name_count;
    uint32_t secrets_max;  /* above: over */
    size_t most_bytes;     /* that wait to be taken; above: over */
    void (*written)(void *owner); /* something is to be taken; may come from within any call */
    void *owner;
};

struct tape *tape_new(const struct tape_options *options);
void tape_free(struct tape *tape);

/* Writes one line. `write` adds the fields and is called again where it met a secret that was not
 * known before, so that the whole line is free of it. After the end it does nothing. */
void tape_add(struct tape *tape, const char *what,
              void (*write)(struct entry *entry, const void *ctx), const void *ctx);

/* The last line; `why` are words for people. Harmless when it is over already. */
void tape_end(struct tape *tape, const char *why);
bool tape_over(const struct tape *tape);

/* What waits to be taken, and taking it off the front. */
struct bytes tape_bytes(const struct tape *tape);
void tape_take(struct tape *tape, size_t size);

uint64_t tape_entries(const struct tape *tape);

/* Fields, for `write`. A text whose data is NULL writes no field. */
void entry_number(struct entry *entry, const char *name, long long number);
void entry_flag(struct entry *entry, const char *name); /* true */
void entry_text(struct entry *entry, const char *name, struct bytes text);
void entry_path(struct entry *entry, const char *name, struct bytes path);
void entry_query(struct entry *entry, const char *name, struct bytes query);
void entry_url(struct entry *entry, const char *name, struct bytes url);
void entry_list(struct entry *entry, const char *name, const struct bytes *texts, size_t count);

/* "headers":[["name","value"],...] */
void entry_headers(struct entry *entry, const struct http_header *headers, size_t count);

/* "body" (or another name), or where it cannot be kept, "body_size". Empty: no field. */
void entry_body(struct entry *entry, const char *name, struct bytes type, struct bytes body);
