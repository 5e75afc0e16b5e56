/* The time of a line is asked for line by line, not taken from the turn: a log is
 * read to learn what took long within one. */
#include "loop/logger.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static void add_time(struct buf *out, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t size = strftime(buf_reserve(out, 32), 32, "%Y-%m-%dT%H:%M:%S", &utc);
    out->size += size;
    buf_printf(out, ".%03uZ", (unsigned)(wall_ms % 1000));
}

static bool is_plain(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
    }
    return text.size > 0;
}

static void add_text(struct buf *out, bool json, struct bytes text)
{
    if (!json && is_plain(text))
        buf_add_bytes(out, text);
    else
        text_json_string(out, text);
}

static void add_name(struct buf *out, bool json, const char *name)
{
    if (json)
        buf_printf(out, ",\"%s\":", name);
    else
        buf_printf(out, " %s=", name);
}

void logger_format(struct buf *out, bool json, uint64_t wall_ms, enum log_level level,
                   const char *message, const struct log_field *fields, size_t count)
{
    buf_add_text(out, json ? "{\"time\":\"" : "time=");
    add_time(out, wall_ms);
    if (json) buf_add_char(out, '"');
    add_name(out, json, "level");
    add_text(out, json, bytes_of(level_names[level]));
    add_name(out, json, "msg");
    add_text(out, json, bytes_of(message));
    for (size_t i = 0; i < count; i++) {
        add_name(out, json, fields[i].name);
        if (fields[i].text.data)
            add_text(out, json, fields[i].text);
        else
            buf_printf(out, "%lld", fields[i].number);
    }
    buf_add_text(out, json ? "}\n" : "\n");
}

static void write_line(struct log *log, enum log_level level, const char *message,
                       const struct log_field *fields, size_t count)
{
    struct logger *logger = logger_of(log);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct buf line = BUF_EMPTY;
    logger_format(&line, logger->json,
                  (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, level, message,
                  fields, count);
    if (level == LOG_ERROR) logger->errors++;
    /* A log that cannot be written has nowhere to say so. */
    ssize_t written = write(logger->fd, line.data, line.size);
    (void)written;
    buf_destroy(&line);
}

void logger_create(struct logger *logger, int fd)
{
    *logger = (struct logger){.log = {LOG_INFO, write_line}, .fd = fd};
}

struct logger *logger_of(struct log *log)
{
    CHECK(log->write == write_line);
    return CONTAINER(log, struct logger, log);
}
