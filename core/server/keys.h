/* keys: the table of all config keys: name, type, default, range and the text
 * that explains it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum key_type {
    KEY_ADDRESSES, /* of listeners: a text or a list of texts; another one takes a restart */
    KEY_SERVERS,  /* urls of servers that are used: likewise, and they may hold passwords */
    KEY_LIST,     /* a text or a list of texts */
    KEY_TEXT,
    KEY_NAME,     /* a text; another one takes a restart */
    KEY_CHOICE,   /* one of `choices` */
    KEY_COUNT,
    KEY_BYTES,
    KEY_SECONDS,
    KEY_PROCESSES, /* a whole number; another one takes a restart */
};

struct key {
    const char *name;
    enum key_type type;
    size_t offset;        /* in struct config */
    const char *standard; /* the default, as Lua text; NULL: none, may stay unset */
    double min, max;      /* of numbers, in the file's units */
    const char *choices[5];
    const char *text;     /* one sentence: what it is */
    const char *why;      /* when to change it, and the trap */
};

static inline bool key_is_list(const struct key *key)
{
    return key->type <= KEY_LIST;
}

static inline bool key_is_text(const struct key *key)
{
    return key->type > KEY_LIST && key->type <= KEY_CHOICE;
}

static inline bool key_restarts(const struct key *key)
{
    return key->type == KEY_ADDRESSES || key->type == KEY_SERVERS || key->type == KEY_NAME ||
           key->type == KEY_PROCESSES;
}

extern const struct key keys[];
extern const size_t key_count;

const struct key *key_find(const char *name);

/* The table as an annotated config file, and as a page of documentation. */
void keys_write_conf(struct buf *out);
void keys_write_page(struct buf *out);
