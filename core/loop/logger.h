/* logger: the port log as lines on a descriptor, one write(2) a line, either
 *
 *   time=2026-01-31T23:59:59.123Z level=warn msg="link lost" upstream=inbox status=503
 *   {"time":"2026-01-31T23:59:59.123Z","level":"warn","msg":"link lost","upstream":"inbox","status":503}
 *
 * A value is quoted, as a JSON string, unless it is made of harmless characters
 * only, so that no value can forge a field or a line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "ports/log.h"

enum { STDERR_LOG = 2 };

struct logger {
    struct log log;
    bool json;
    int fd;
    uint64_t errors; /* lines of LOG_ERROR written */
};

/* Level LOG_INFO, key=value; the descriptor stays the caller's. */
void logger_create(struct logger *logger, int fd);

/* The logger behind a log that logger_create made. */
struct logger *logger_of(struct log *log);

/* The same line into memory, with the newline; `wall_ms` since 1970. */
void logger_format(struct buf *out, bool json, uint64_t wall_ms, enum log_level level,
                   const char *message, const struct log_field *fields, size_t count);
