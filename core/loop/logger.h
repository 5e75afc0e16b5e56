/* logger: the port log as lines (base/line.h) on a descriptor, one write(2) a line. */
#pragma once

#include <stdbool.h>

#include "base/line.h"
#include "ports/log.h"

enum { LOGGER_STDERR = 2, LOGGER_FIELDS = 16 };

struct logger {
    struct log log;
    enum line_form form;
    int fd;
    struct log_field own; /* is in each line, before its others; name NULL: none */
    bool owned; /* it is a file that logger_open opened */
    uint64_t errors; /* lines of LOG_ERROR written */
};

/* Level LOG_INFO, LINE_PAIRS; the descriptor stays the caller's. */
void logger_create(struct logger *logger, int fd);

/* Goes on in a file, to which lines are appended, or with NULL on stderr; a file that it opened
 * before is closed. False, with errno: nothing has changed. */
bool logger_open(struct logger *logger, const char *path);

/* The logger behind a log that logger_create made. */
struct logger *logger_of(struct log *log);
