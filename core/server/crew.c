/* The life of a worker: crew_begin makes it STARTING, its READY=1 (take_message) SERVING, and its end (reap)
 * ABSENT, from where crew_begin_again leads back. A signal that a program not yet set up would die of waits
 * until it serves. */
#include "server/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/text.h"
#include "loop/watch.h"
#include "server/commands.h"
#include "server/held.h"
#include "server/service.h"
#include "server/worker.h"

enum { AGAIN_MIN_MS = 1000, AGAIN_MAX_MS = 30000, RAN_WELL_MS = 60000, LOOK_MS = 500,
       MESSAGE_BYTES = 4096 };

struct member {
    struct crew *crew;
    enum { ABSENT, STARTING, SERVING } state;
    unsigned index;
    pid_t pid;
    uint64_t begun_ms, heard_ms, again_ms;
    struct timer again;
    bool owes_reload, owes_log; /* signals that wait until it serves */
    bool reloads;
    bool hangs; /* it was told so */
    struct buf status;
};

struct crew {
    struct loop *loop;
    struct clock *clock;
    struct log *log;
    struct crew_options options;
    char *config; /* a copy of its path */
    pid_t master;
    int program; /* as it was when the master began: workers are of one version */
    struct watch notices;
    char notices_name[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "@name" */
    struct timer look; /* whether all have said that they live */
    uint64_t looked_ms;
    bool ends;
    struct member *members;
};

/* ---- beginning ---- */

static void restore_signals(void)
{
    static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) signal(ours[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the fork. The master may have died before the kernel was asked to tell of it. */
static void become(const struct crew *crew, unsigned index)
{
    char *words[] = {program_invocation_name, (char *)"run", (char *)"-c",
                     crew->config, NULL};
    struct buf told = BUF_EMPTY;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != crew->master) _exit(EXIT_FAILED);
    worker_tell(&told, index, crew->options.count);
    held_tell(crew->options.held, &told);
    worker_set_told(&told);
    service_pass_on(crew->options.service, crew->notices_name);
    restore_signals();
    fexecve(crew->program, words, environ);
    fprintf(stderr, "sluice: a worker cannot be started: %s\n", strerror(errno));
    _exit(EXIT_FAILED);
}

void crew_begin(struct crew *crew, unsigned index)
{
    struct member *member = &crew->members[index];
    sigset_t all, before;
    CHECK(member->state == ABSENT);
    clock_cancel(crew->clock, &member->again);
    buf_clear(&member->status);
    member->owes_reload = member->owes_log = member->reloads = member->hangs = false;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* a signal to the child must not run the master's handler */
    member->pid = fork();
    if (member->pid == 0) become(crew, index);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (member->pid < 0) {
        LOG(crew->log, LOG_ERROR, "a worker cannot be started", F_NUMBER("worker", index),
            F_TEXT("error", strerror(errno)));
        crew_begin_again(crew, index);
        return;
    }
    member->state = STARTING;
    member->begun_ms = member->heard_ms = crew->clock->now_ms;
    LOG(crew->log, LOG_INFO, "a worker starts", F_NUMBER("worker", index),
        F_NUMBER("pid", member->pid));
}

static void on_again(struct timer *timer)
{
    struct member *member = CONTAINER(timer, struct member, again);
    crew_begin(member->crew, member->index);
}

unsigned long long crew_begin_again(struct crew *crew, unsigned index)
{
    struct member *member = &crew->members[index];
    const uint64_t wait_ms = member->again_ms;
    member->again_ms = wait_ms * 2 < AGAIN_MAX_MS ? wait_ms * 2 : AGAIN_MAX_MS;
    clock_after(crew->clock, &member->again, wait_ms);
    return wait_ms;
}

/* ---- what they say ---- */

static void forward_owed(struct member *member)
{
    if (member->owes_log) kill(member->pid, SIGUSR1);
    if (member->owes_reload) kill(member->pid, SIGHUP);
    member->reloads = member->owes_reload;
    member->owes_log = member->owes_reload = false;
}

static void take_message(struct member *member, struct bytes text)
{
    static const char status[] = "STATUS=";
    struct crew *crew = member->crew;
    bool ready = false;
    member->heard_ms = crew->clock->now_ms;
    while (text.size) {
        const struct bytes line = text_take_line(&text);
        ready = ready || bytes_is(line, "READY=1");
        if (line.size < sizeof(status) || memcmp(line.data, status, sizeof(status) - 1) != 0)
            continue;
        buf_clear(&member->status);
        buf_add(&member->status, line.data + sizeof(status) - 1, line.size - (sizeof(status) - 1));
    }
    if (!ready) return;
    member->state = SERVING;
    member->reloads = false;
    forward_owed(member);
    crew->options.events->ready(crew->options.owner, member->index);
}

/* The kernel says who sent it; whoever else finds the socket is not listened to. */
static struct member *sender(struct crew *crew, struct msghdr *message)
{
    struct cmsghdr *part = CMSG_FIRSTHDR(message);
    struct ucred who = {.pid = 0};
    if (part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS)
        memcpy(&who, CMSG_DATA(part), sizeof(who));
    for (unsigned i = 0; who.pid > 0 && i < crew->options.count; i++)
        if (crew->members[i].state != ABSENT && crew->members[i].pid == who.pid)
            return &crew->members[i];
    return NULL;
}

static bool take_one(struct crew *crew)
{
    char text[MESSAGE_BYTES], parts[CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
    struct iovec into = {text, sizeof(text)};
    struct msghdr message = {.msg_iov = &into,
                             .msg_iovlen = 1,
                             .msg_control = parts,
                             .msg_controllen = sizeof(parts)};
    const ssize_t size = recvmsg(watch_fd(&crew->notices), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return errno == EINTR;
    struct member *member = sender(crew, &message);
    if (member) take_message(member, bytes_run(text, (size_t)size));
    return true;
}

static void on_notices(struct watch *watch, int events)
{
    (void)events;
    struct crew *crew = CONTAINER(watch, struct crew, notices);
    while (take_one(crew)) continue;
}

static void open_notices(struct crew *crew)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(sa_family_t); /* the kernel chooses a name of no folder: unix(7), autobind */
    const int on = 1, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&name, size) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
    size = sizeof(name);
    CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0);
    snprintf(crew->notices_name, sizeof(crew->notices_name), "@%.*s",
             (int)(size - offsetof(struct sockaddr_un, sun_path) - 1), name.sun_path + 1);
    watch_create(&crew->notices, crew->loop, fd, on_notices);
    watch_set(&crew->notices, WATCH_READ);
}

/* ---- ends ---- */

static void reap(struct member *member)
{
    struct crew *crew = member->crew;
    int status;
    if (member->state == ABSENT || waitpid(member->pid, &status, WNOHANG) != member->pid) return;
    member->state = ABSENT;
    member->reloads = false;
    if (crew->clock->now_ms - member->begun_ms >= RAN_WELL_MS) member->again_ms = AGAIN_MIN_MS;
    crew->options.events->ended(crew->options.owner, member->index, status);
}

static void on_child_signal(void *owner, int signum)
{
    struct crew *crew = owner;
    (void)signum;
    on_notices(&crew->notices, WATCH_READ); /* what they said before they ended */
    for (unsigned i = 0; i < crew->options.count; i++) reap(&crew->members[i]);
}

/* Who is silent for as long as systemd would wait is ended as systemd would do it, and killed where that ends nothing,
 * as with one that is stopped. */
static void end_hanging(struct member *member)
{
    struct crew *crew = member->crew;
    if (member->hangs)
        LOG(crew->log, LOG_ERROR, "a worker hangs and does not end: it is killed",
            F_NUMBER("worker", member->index), F_NUMBER("pid", member->pid));
    else
        LOG(crew->log, LOG_ERROR, "a worker hangs and is ended", F_NUMBER("worker", member->index),
            F_NUMBER("pid", member->pid));
    kill(member->pid, member->hangs ? SIGKILL : SIGABRT);
    member->hangs = true;
    member->heard_ms = crew->clock->now_ms;
}

/* While the master itself was stopped it heard nobody, and they may have been stopped with it: that time does not
 * count. */
static void on_look(struct timer *timer)
{
    struct crew *crew = CONTAINER(timer, struct crew, look);
    const uint64_t patience_ms = service_patience_ms(crew->options.service), now_ms = crew->clock->now_ms;
    const uint64_t late_ms = now_ms - crew->looked_ms - LOOK_MS;
    for (unsigned i = 0; i < crew->options.count; i++) {
        struct member *member = &crew->members[i];
        if (late_ms >= LOOK_MS) member->heard_ms += late_ms;
        if (member->state == SERVING && now_ms >= member->heard_ms + patience_ms) end_hanging(member);
    }
    crew->looked_ms = now_ms;
    clock_after(crew->clock, timer, LOOK_MS);
}

void crew_signal(struct crew *crew, int signum)
{
    const bool final = signum == SIGTERM || signum == SIGINT || signum == SIGKILL;
    crew->ends = crew->ends || final;
    for (unsigned i = 0; i < crew->options.count; i++) {
        struct member *member = &crew->members[i];
        if (crew->ends) clock_cancel(crew->clock, &member->again);
        if (member->state == SERVING || (member->state == STARTING && final))
            kill(member->pid, signum);
        const bool waits = member->state == STARTING && !final;
        if (signum == SIGHUP && member->state == SERVING) member->reloads = true;
        if (signum == SIGHUP) member->owes_reload = waits;
        if (signum == SIGUSR1) member->owes_log = waits;
    }
}

/* ---- life cycle, queries ---- */

struct crew *crew_new(struct loop *loop, const struct crew_options *options)
{
    struct crew *crew = xcalloc(1, sizeof(*crew));
    crew->loop = loop;
    crew->clock = loop_clock(loop);
    crew->log = loop_log(loop);
    crew->options = *options;
    crew->config = xstrdup(options->config);
    crew->master = getpid();
    crew->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    crew->members = xcalloc(options->count, sizeof(*crew->members));
    for (unsigned i = 0; i < options->count; i++) {
        crew->members[i] = (struct member){.crew = crew, .index = i, .again_ms = AGAIN_MIN_MS};
        timer_init(&crew->members[i].again, on_again);
    }
    open_notices(crew);
    timer_init(&crew->look, on_look);
    crew->looked_ms = crew->clock->now_ms;
    if (service_patience_ms(options->service)) clock_after(crew->clock, &crew->look, LOOK_MS);
    loop_signal(loop, SIGCHLD, on_child_signal, crew);
    return crew;
}

void crew_free(struct crew *crew)
{
    clock_cancel(crew->clock, &crew->look);
    watch_stop(&crew->notices);
    close(watch_fd(&crew->notices));
    close(crew->program);
    for (unsigned i = 0; i < crew->options.count; i++) {
        clock_cancel(crew->clock, &crew->members[i].again);
        buf_destroy(&crew->members[i].status);
    }
    xfree(crew->members);
    xfree(crew->config);
    xfree(crew);
}

unsigned crew_alive(const struct crew *crew)
{
    unsigned count = 0;
    for (unsigned i = 0; i < crew->options.count; i++) count += crew->members[i].state != ABSENT;
    return count;
}

unsigned crew_serving(const struct crew *crew)
{
    unsigned count = 0;
    for (unsigned i = 0; i < crew->options.count; i++) count += crew->members[i].state == SERVING;
    return count;
}

unsigned crew_reloading(const struct crew *crew)
{
    unsigned count = 0;
    for (unsigned i = 0; i < crew->options.count; i++) count += crew->members[i].reloads;
    return count;
}

const char *crew_status(const struct crew *crew, unsigned index)
{
    return buf_text(&crew->members[index].status);
}
