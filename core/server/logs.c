#include "server/logs.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "loop/logger.h"

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    int level = 0;
    while (strcmp(names[level], name) != 0) level++; /* the config took no other */
    return (enum log_level)level;
}

void logs_set(struct log *log, const char *level, const char *format)
{
    log->level = level_of(level);
    logger_of(log)->form = strcmp(format, "json") == 0 ? LINE_JSON : LINE_PAIRS;
}

void logs_name_worker(struct log *log, unsigned index)
{
    logger_of(log)->own = (struct log_field)F_NUMBER("worker", index);
}

bool logs_open(struct log *log, const char *path, struct buf *errors)
{
    if (logger_open(logger_of(log), path)) return true;
    buf_printf(errors, "log_file = \"%s\" cannot be opened: %s\n", path, strerror(errno));
    return false;
}
