/* record: writes down what reaches the running server, until it is told to stop. A
 * file is made for its owner alone and never written over: pseudonyms or not, it
 * holds what people said. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/ask.h"
#include "server/commands.h"

struct recording {
    const char *path; /* NULL: stdout */
    FILE *file;
    struct buf line; /* the one that is not whole yet */
    struct buf refusal;
    unsigned long long entries;
    double began, until; /* seconds; until 0: for ever */
    bool shows;          /* how far it is, on a terminal */
    bool over;           /* the server's last line was there */
    bool failed;         /* the file took no more */
};

static volatile sig_atomic_t stopped;

static void on_signal(int signum)
{
    (void)signum;
    stopped = 1;
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void show(const struct recording *recording)
{
    if (recording->shows)
        fprintf(stderr, "\r%llu entries, %.0f s ", recording->entries, now() - recording->began);
}

static bool go_on(void *ctx)
{
    const struct recording *recording = ctx;
    show(recording);
    return !stopped && (!recording->until || now() < recording->until);
}

static void write_line(struct recording *recording, struct bytes line)
{
    static const char over[] = "\"what\":\"over\"";
    recording->entries++;
    recording->over = memmem(line.data, line.size < 64 ? line.size : 64, over, sizeof(over) - 1);
    if (fwrite(line.data, 1, line.size, recording->file) != line.size) recording->failed = true;
}

/* Only whole lines are written, so that an end at any moment leaves a good file. */
static bool take(void *ctx, int status, struct bytes piece)
{
    struct recording *recording = ctx;
    if (status >= 300) {
        buf_add_bytes(&recording->refusal, piece);
        return true;
    }
    while (piece.size) {
        const char *end = memchr(piece.data, '\n', piece.size);
        const size_t size = end ? (size_t)(end - piece.data) + 1 : piece.size;
        buf_add(&recording->line, piece.data, size);
        piece = bytes_run(piece.data + size, piece.size - size);
        if (!end) break;
        write_line(recording, buf_bytes(&recording->line));
        buf_clear(&recording->line);
    }
    if (fflush(recording->file) != 0) recording->failed = true;
    return !recording->failed && go_on(recording);
}

/* The command's own last line, where the server wrote none: until here nothing more happened. */
static void close_tape(struct recording *recording)
{
    if (recording->over || !recording->entries) return;
    fprintf(recording->file, "{\"t\":%.0f,\"what\":\"over\",\"why\":\"its reader ended it\"}\n",
            (now() - recording->began) * 1000);
}

static bool open_file(struct recording *recording)
{
    recording->file = stdout;
    if (!recording->path) return true;
    const int fd = open(recording->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    recording->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!recording->file)
        fprintf(stderr, "sluice record: %s: %s\n", recording->path,
                errno == EEXIST ? "is there already, and is not written over" : strerror(errno));
    return recording->file;
}

static int report(struct recording *recording, int status)
{
    const bool clean = fflush(recording->file) == 0 && !recording->failed;
    if (recording->path) fclose(recording->file);
    if (recording->shows) fputc('\n', stderr);
    if (!recording->entries && recording->path) unlink(recording->path);
    if (status >= 300) fputs(buf_text(&recording->refusal), stderr);
    if (!recording->entries) return status >= 300 ? EXIT_FAILED : EXIT_WRONG;
    if (!clean) fprintf(stderr, "sluice record: what was recorded could not be written\n");
    fprintf(stderr, "sluice record: %llu entries, %.1f s%s%s%s\n", recording->entries,
            now() - recording->began, recording->path ? ", in " : "",
            recording->path ? recording->path : "",
            recording->over ? "; the server ended it, the last line says why" : "");
    return clean && !recording->over && status ? EXIT_GOOD : EXIT_FAILED;
}

static bool read_seconds(const char *text, double *seconds)
{
    char *end = NULL;
    *seconds = text ? strtod(text, &end) : 0;
    if (!text || (end > text && !*end && *seconds > 0 && *seconds < 1e9)) return true;
    fprintf(stderr, "sluice record: --for takes a number of seconds, not '%s'\n", text);
    return false;
}

int command_record(const struct arguments *arguments)
{
    struct recording recording = {.path = arguments_get(arguments, "-o"),
                                  .shows = isatty(STDERR_FILENO)};
    double seconds;
    if (!read_seconds(arguments_get(arguments, "--for"), &seconds)) return EXIT_WRONG;
    if (!open_file(&recording)) return EXIT_WRONG;
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    recording.began = now();
    recording.until = seconds ? recording.began + seconds : 0;
    const int status = ask_stream(arguments, "/record", take, go_on, &recording);
    close_tape(&recording);
    const int code = report(&recording, status);
    buf_destroy(&recording.line);
    buf_destroy(&recording.refusal);
    return code;
}
