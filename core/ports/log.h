/* log: one line a fact. A line has a level, a message in fixed words, and named
 * values; how it looks (key=value or JSON) is the adapter's. */
#pragma once

#include <stddef.h>

#include "base/bytes.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *name;
    struct bytes text; /* used if data is not NULL, else the number */
    long long number;
};

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
