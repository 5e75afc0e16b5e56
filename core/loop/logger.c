/* The time of a line is asked for line by line, not taken from the turn: a log is
 * read to learn what took long within one. */
#include "loop/logger.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

static void write_line(struct log *log, enum log_level level, const char *message,
                       const struct log_field *fields, size_t count)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct logger *logger = logger_of(log);
    struct line_field all[LOGGER_FIELDS + 1];
    CHECK(count <= LOGGER_FIELDS);
    all[0] = logger->own;
    const size_t own = logger->own.name ? 1 : 0;
    for (size_t i = 0; i < count; i++) all[own + i] = fields[i];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    struct buf line = BUF_EMPTY;
    line_write(&line, logger->form, wall_ms, levels[level], message, all, own + count);
    if (level == LOG_ERROR) logger->errors++;
    /* A log that cannot be written has nowhere to say so. */
    ssize_t written = write(logger->fd, line.data, line.size);
    (void)written;
    buf_destroy(&line);
}

void logger_create(struct logger *logger, int fd)
{
    *logger = (struct logger){.log = {LOG_INFO, write_line}, .form = LINE_PAIRS, .fd = fd};
}

/* A pipe that nobody reads is an error at once: to wait for a reader would hold everything up. */
static int open_file(const char *path)
{
    const int fd =
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

bool logger_open(struct logger *logger, const char *path)
{
    const int fd = path ? open_file(path) : LOGGER_STDERR;
    if (fd < 0) return false;
    if (logger->owned) close(logger->fd);
    logger->fd = fd;
    logger->owned = path != NULL;
    return true;
}

struct logger *logger_of(struct log *log)
{
    CHECK(log->write == write_line);
    return CONTAINER(log, struct logger, log);
}
