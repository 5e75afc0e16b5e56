/* settings: reads a config file: Lua in an environment that is empty but for
 * env(name[, default]) and the keys assigned before. Assignments only: functions,
 * loops and goto are refused, so a config file is read in a bounded time and says
 * the same thing every time. What the keys mean is the caller's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

enum setting_type { SETTING_TEXT, SETTING_NUMBER, SETTING_BOOLEAN, SETTING_LIST, SETTING_OTHER };

/* One assignment; borrowed until the callback returns. */
struct setting {
    const char *name;
    int line;
    enum setting_type type;
    struct bytes text;
    double number;
    bool boolean;
    const struct bytes *items; /* of a list of texts */
    size_t item_count;
    size_t odd_item; /* of a list, from 1: the first that is no text; 0: there is none */
    const char *type_name; /* for people: "table", "nil"; of an odd item, the item's */
};

/* Calls `set` for each assignment in order. False: the file cannot be read or is no such Lua; one
 * line "file:line: …" is added to errors. */
bool settings_read(const char *path, void (*set)(void *ctx, const struct setting *setting),
                   void *ctx, struct buf *errors);
