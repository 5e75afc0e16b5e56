/* log: one line a fact. A line has a level, a message in fixed words, and named
 * values; how it looks is base/line's, where it goes the adapter's. */
#pragma once

#include <stddef.h>

#include "base/line.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define log_field line_field /* an adapter hands its fields to line_write as they are */

struct log {
    enum log_level level; /* lines above it are not written */
    void (*write)(struct log *log, enum log_level level, const char *message,
                  const struct log_field *fields, size_t count);
};

#define F_TEXT(name, value) {(name), bytes_of((value) ? (value) : ""), 0}
#define F_BYTES(name, value) {(name), (value), 0}
#define F_NUMBER(name, value) {(name), {NULL, 0}, (long long)(value)}

/* LOG(log, LOG_WARN, "link lost", F_TEXT("upstream", name), F_NUMBER("status", 503)); at least
 * one field. */
#define LOG(log, level_, message, ...)                                                             \
    do {                                                                                           \
        if ((level_) <= (log)->level) {                                                            \
            const struct log_field fields_[] = {__VA_ARGS__};                                      \
            (log)->write((log), (level_), (message), fields_,                                      \
                         sizeof(fields_) / sizeof(fields_[0]));                                    \
        }                                                                                          \
    } while (0)
