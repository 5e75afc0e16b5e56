/* redis_world: real Redis servers for the tests of what speaks to them: each a process of its own in one folder, which
 * ends with the test; and what an opened server told, as lines of text. */
#pragma once

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/buf.h"
#include "peers/redis.h"
#include "unit.h"

enum { WORDS_MAX = 24 };

struct process {
    pid_t pid; /* 0: none */
    int port;
    char dir[64], path[96]; /* of its Unix socket */
};

static struct loop *loop;
static struct redis_opener *opener;

static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* A connection of the test's own, that blocks. -1: nobody listens. */
static int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) return fd;
    close(fd);
    return -1;
}

static void process_start(struct process *process, const char *const *words)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", process->port);
    const char *all[WORDS_MAX] = {"redis-server"};
    size_t count = 1;
    for (; words && *words; words++) all[count++] = *words;
    const char *const common[] = {"--port", port, "--bind", "127.0.0.1", "--dir", process->dir, NULL};
    for (const char *const *word = common; *word; word++) all[count++] = *word;
    process->pid = fork();
    if (process->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execvp(all[0], (char **)all);
        _exit(127);
    }
    int fd = -1;
    for (int i = 0; i < 1000 && (fd = dial(process->port)) < 0; i++) nap();
    assert_true(fd >= 0);
    close(fd);
}

/* A folder and a port of its own. */
static void process_place(struct process *process)
{
    snprintf(process->dir, sizeof(process->dir), "/tmp/sluice-redis-XXXXXX");
    assert_non_null(mkdtemp(process->dir));
    snprintf(process->path, sizeof(process->path), "%s/s", process->dir);
    process->port = free_port();
}

static void redis_start(struct process *process, const char *const *more)
{
    const char *words[WORDS_MAX] = {"--unixsocket", process->path, "--save", "", NULL};
    for (size_t i = 4; more && *more; i++, more++) words[i] = *more;
    process_start(process, words);
}

static void process_end(struct process *process)
{
    if (!process->pid) return;
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    process->pid = 0;
}

static void process_remove(struct process *process)
{
    process_end(process);
    DIR *dir = opendir(process->dir);
    for (struct dirent *each; (each = readdir(dir));) unlinkat(dirfd(dir), each->d_name, 0);
    closedir(dir);
    rmdir(process->dir);
}

/* Says a line to it and gives the answer as it comes, in memory of the next call's. */
static const char *tell_server(int port, const char *line)
{
    static char got[65536];
    int fd = dial(port);
    assert_true(fd >= 0);
    char text[512];
    snprintf(text, sizeof(text), "%s\r\n", line);
    assert_true(write(fd, text, strlen(text)) > 0);
    shutdown(fd, SHUT_WR); /* a sentinel knows no QUIT */
    size_t size = 0;
    for (ssize_t read_now; (read_now = read(fd, got + size, sizeof(got) - 1 - size)) > 0;)
        size += (size_t)read_now;
    got[size] = '\0';
    close(fd);
    return got;
}

/* ---- time ---- */

static bool time_is_up;

static void on_time_up(struct timer *timer)
{
    (void)timer;
    time_is_up = true;
}

enum { STEP_MS = 20 }; /* how often a condition is looked at that nothing here announces */

static void on_step(struct timer *timer)
{
    clock_after(loop_clock(loop), timer, STEP_MS);
}

/* Turns the loop until the condition holds; false after ms without. */
static inline bool turn_until(bool (*holds)(void), uint64_t ms)
{
    struct timer limit = {.due_ms = 0}, step = {.due_ms = 0};
    timer_init(&step, on_step);
    on_step(&step);
    timer_init(&limit, on_time_up);
    time_is_up = false;
    clock_after(loop_clock(loop), &limit, ms);
    while (!holds() && !time_is_up) loop_turn(loop, true);
    clock_cancel(loop_clock(loop), &limit);
    clock_cancel(loop_clock(loop), &step);
    return holds();
}

static bool never(void)
{
    return false;
}

static inline void turn_for(uint64_t ms)
{
    turn_until(never, ms);
}

/* ---- what was told ---- */

static struct buf told; /* a line each */
static const char *awaited;

static void on_up(void *owner)
{
    (void)owner;
    buf_add_text(&told, "up\n");
}

static void on_down(void *owner, const char *why)
{
    (void)owner;
    buf_printf(&told, "down: %s\n", why);
}

static void on_subscribed(void *owner, struct bytes channel)
{
    (void)owner;
    buf_printf(&told, "subscribed %.*s\n", (int)channel.size, channel.data);
}

static void on_message(void *owner, struct bytes channel, struct bytes payload)
{
    (void)owner;
    buf_printf(&told, "%.*s: %.*s\n", (int)channel.size, channel.data, (int)payload.size,
               payload.data);
}

static const struct redis_events telling = {on_up, on_down, on_subscribed, on_message};

static void write_value(struct buf *out, const struct redis_value *value)
{
    switch (value->kind) {
    case REDIS_NIL:
        buf_add_text(out, "nil");
        break;
    case REDIS_TEXT:
        buf_printf(out, "'%.*s'", (int)value->text.size, value->text.data);
        break;
    case REDIS_NUMBER:
        buf_printf(out, "%lld", (long long)value->number);
        break;
    case REDIS_ERROR:
        buf_printf(out, "!%.*s", (int)value->text.size, value->text.data);
        break;
    case REDIS_LIST:
        buf_add_text(out, "[");
        for (size_t i = 0; i < value->count; i++) {
            if (i) buf_add_text(out, " ");
            write_value(out, &value->items[i]);
        }
        buf_add_text(out, "]");
    }
}

/* The owner is the call's name. */
static void on_done(void *owner, const struct redis_answer *answer)
{
    buf_printf(&told, "%s = ", (const char *)owner);
    if (answer->code)
        buf_printf(&told, "%s, %s", answer->code, answer->sentence);
    else
        write_value(&told, answer->value);
    buf_add_text(&told, "\n");
}

static bool has_awaited(void)
{
    return strstr(buf_text(&told), awaited) != NULL;
}

/* Waits until this was told. */
static void await(const char *text, uint64_t ms)
{
    awaited = text;
    if (!turn_until(has_awaited, ms)) {
        print_error("not told: %s\ntold:\n%s", text, buf_text(&told));
        fail();
    }
}

static struct redis *open_url(const char *format, ...)
{
    char url[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(url, sizeof(url), format, arguments);
    va_end(arguments);
    struct buf error = BUF_EMPTY;
    struct redis *redis = opener->open(opener, bytes_of(url), &telling, NULL, &error);
    if (!redis) print_error("%s\n", buf_text(&error));
    assert_non_null(redis);
    return redis;
}

/* The name is of its answer. */
static struct redis_call *call_words(struct redis *redis, const char *name,
                                     const struct bytes *words, size_t count)
{
    return redis->ops->start(redis, words, count, on_done, (void *)name);
}

/* A command of words that a space parts; a '~' in them is one. */
static struct redis_call *call(struct redis *redis, const char *name, const char *line)
{
    struct bytes words[WORDS_MAX];
    size_t count = 0;
    char text[512];
    snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        for (char *c = word; *c; c++)
            if (*c == '~') *c = ' ';
        words[count++] = bytes_of(word);
    }
    return call_words(redis, name, words, count);
}

static inline void subscribe(struct redis *redis, const char *channel)
{
    struct bytes bytes = bytes_of(channel);
    redis->ops->subscribe(redis, &bytes, 1);
}

static struct redis_peer_status status(void)
{
    struct redis_peer_status status;
    assert_true(redis_peer_status(opener, 0, &status));
    return status;
}
