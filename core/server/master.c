/* STARTING until all workers serve (on_ready) or one ends (on_ended, to ENDING with its code); SERVING until TERM
 * or INT (on_end_signal); ENDING until none is left. */
#include "server/master.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "loop/loop.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/crew.h"
#include "server/held.h"
#include "server/limits.h"
#include "server/logs.h"
#include "server/service.h"
#include "server/worker.h"

/* Beyond what a worker gives itself to end: for what it writes and frees then. */
enum { GRACE_MS = 2000 };

struct master {
    struct config *config; /* what of it is the master's own is read again at a reload */
    struct loop *loop;
    struct log *log;
    struct service *service;
    struct held *held;
    struct crew *crew;
    unsigned count;
    enum { STARTING, SERVING, ENDING } state;
    struct timer deadline;
    int code;
};

/* ---- what systemd is told ---- */

/* How many serve and, once for all or of each that differs, what they say. */
static void write_status(const struct master *master, struct buf *out)
{
    const char *first = crew_status(master->crew, 0);
    buf_printf(out, "%u of %u workers are there; %s", crew_serving(master->crew), master->count, first);
    for (unsigned i = 1; i < master->count; i++) {
        const char *status = crew_status(master->crew, i);
        if (*status && strcmp(status, first) != 0) buf_printf(out, "; worker %u: %s", i, status);
    }
}

static void say_ready(const struct master *master)
{
    struct buf status = BUF_EMPTY;
    if (master->state != SERVING || crew_reloading(master->crew)) return;
    write_status(master, &status);
    service_ready(master->service, buf_text(&status));
    buf_destroy(&status);
}

/* ---- config and log ---- */

static void say(const struct master *master, struct buf *errors)
{
    if (errors->size)
        LOG(master->log, LOG_ERROR, "the log is not opened again",
            F_BYTES("why", bytes_run(errors->data, errors->size - 1)));
    buf_destroy(errors);
}

static bool open_log(const struct master *master, struct buf *errors)
{
    char *path = config_log_file(master->config);
    const bool good = logs_open(master->log, path, errors);
    xfree(path);
    return good;
}

static void reopen_log(const struct master *master)
{
    struct buf errors = BUF_EMPTY;
    open_log(master, &errors);
    say(master, &errors);
}

/* What is wrong with it, each worker says. */
static void read_config(struct master *master)
{
    struct buf unheard = BUF_EMPTY;
    struct config *config = config_read(master->config->path, &unheard);
    if (config && config_follows(master->config, config, &unheard)) {
        config_free(master->config);
        master->config = config;
        logs_set(master->log, config->log_level, config->log_format);
        reopen_log(master);
    } else {
        config_free(config);
    }
    buf_destroy(&unheard);
}

/* ---- ends ---- */

static void on_deadline(struct timer *timer)
{
    struct master *master = CONTAINER(timer, struct master, deadline);
    LOG(master->log, LOG_WARN, "workers that do not end are killed",
        F_NUMBER("workers", crew_alive(master->crew)));
    crew_signal(master->crew, SIGKILL);
}

/* Ends them with TERM; nothing is listened on any more when the last is gone. */
static void begin_end(struct master *master)
{
    struct clock *clock = loop_clock(master->loop);
    master->state = ENDING;
    held_close(master->held);
    master->held = NULL;
    crew_signal(master->crew, SIGTERM);
    clock_after(clock, &master->deadline, master->config->drain_timeout_ms + GRACE_MS);
    if (!crew_alive(master->crew)) loop_stop(master->loop);
}

static void on_end_signal(void *owner, int signum)
{
    struct master *master = owner;
    if (master->state == ENDING) {
        crew_signal(master->crew, WORKER_AT_ONCE);
        clock_after(loop_clock(master->loop), &master->deadline, GRACE_MS);
        return;
    }
    LOG(master->log, LOG_INFO, "workers are drained", F_TEXT("signal", signum == SIGINT ? "INT" : "TERM"),
        F_NUMBER("workers", crew_alive(master->crew)));
    service_stopping(master->service, "draining");
    begin_end(master);
}

static void log_ended(const struct master *master, enum log_level level, unsigned index, int status)
{
    LOG(master->log, level, "a worker ended", F_NUMBER("worker", index),
        F_NUMBER(WIFSIGNALED(status) ? "signal" : "code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
}

static void begin_again(const struct master *master, unsigned index)
{
    const unsigned long long wait_ms = crew_begin_again(master->crew, index);
    LOG(master->log, LOG_INFO, "a worker is begun again", F_NUMBER("worker", index),
        F_NUMBER("in_ms", wait_ms));
}

/* As it was told to: who did not serve yet has no other answer to TERM. */
static bool ended_well(int status)
{
    return WIFSIGNALED(status) ? WTERMSIG(status) == SIGTERM : WEXITSTATUS(status) == EXIT_GOOD;
}

static void on_ended(void *owner, unsigned index, int status)
{
    struct master *master = owner;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
    if (master->state == SERVING) {
        log_ended(master, code ? LOG_ERROR : LOG_WARN, index, status);
        begin_again(master, index);
        say_ready(master);
        return;
    }
    log_ended(master, LOG_INFO, index, status);
    if (master->state == STARTING) {
        master->code = code ? code : EXIT_FAILED;
        begin_end(master);
    } else {
        if (!ended_well(status) && !master->code) master->code = EXIT_FAILED;
        if (!crew_alive(master->crew)) loop_stop(master->loop);
    }
}

/* ---- signals and signs ---- */

static void on_ready(void *owner, unsigned index)
{
    struct master *master = owner;
    const unsigned serving = crew_serving(master->crew);
    if (master->state == STARTING && index == 0 && crew_alive(master->crew) == 1)
        for (unsigned i = 1; i < master->count; i++) crew_begin(master->crew, i);
    if (master->state == STARTING && serving == master->count) {
        master->state = SERVING;
        LOG(master->log, LOG_INFO, "all workers serve", F_NUMBER("workers", serving));
    } else if (master->state == SERVING) {
        read_config(master); /* it may have been asked to reload by itself */
    }
    say_ready(master);
}

static void on_reload_signal(void *owner, int signum)
{
    struct master *master = owner;
    if (master->state == SERVING) service_reloading(master->service);
    crew_signal(master->crew, signum);
    say_ready(master);
}

static void on_log_signal(void *owner, int signum)
{
    struct master *master = owner;
    reopen_log(master);
    crew_signal(master->crew, signum);
}

/* ---- the whole ---- */

static void catch_signals(struct master *master)
{
    limits_ignore_pipes();
    loop_signal(master->loop, SIGTERM, on_end_signal, master);
    loop_signal(master->loop, SIGINT, on_end_signal, master);
    loop_signal(master->loop, SIGHUP, on_reload_signal, master);
    loop_signal(master->loop, SIGUSR1, on_log_signal, master);
}

static void serve(struct master *master)
{
    static const struct crew_events events = {on_ready, on_ended};
    const struct crew_options options = {.config = master->config->path,
                                         .count = master->count,
                                         .held = master->held,
                                         .service = master->service,
                                         .events = &events,
                                         .owner = master};
    timer_init(&master->deadline, on_deadline);
    catch_signals(master);
    master->crew = crew_new(master->loop, &options);
    crew_begin(master->crew, 0);
    loop_run(master->loop);
    LOG(master->log, LOG_INFO, "all workers ended", F_NUMBER("code", master->code));
    clock_cancel(loop_clock(master->loop), &master->deadline);
    crew_free(master->crew);
}

int master_run(struct config *config)
{
    struct buf errors = BUF_EMPTY;
    struct master master = {.config = config, .count = (unsigned)config->workers, .loop = loop_new()};
    master.log = loop_log(master.loop);
    master.service = service_new(loop_clock(master.loop));
    logs_set(master.log, config->log_level, config->log_format);
    if (open_log(&master, &errors))
        master.held = held_open(&config->listen, &config->listen_trusted, &errors);
    if (master.held)
        serve(&master);
    else
        master.code = EXIT_WRONG;
    fputs(buf_text(&errors), stderr);
    buf_destroy(&errors);
    held_close(master.held);
    service_free(master.service);
    loop_free(master.loop);
    config_free(master.config);
    return master.code;
}
