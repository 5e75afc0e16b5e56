/* crew: the processes of a master's workers. Each is this program anew (fork and exec, so that nothing of the
 * master's loop, memory or signals is in it), told by worker.h what it is. The crew is to them what systemd is to a
 * service: a notify socket, on which they say when they are ready, how they are and that they live. When the
 * master dies they get TERM from the kernel, and drain. What follows from an end is the owner's to say. */
#pragma once

#include <stdbool.h>

struct crew;
struct held;
struct loop;
struct service;

struct crew_events {
    /* It serves: for the first time, or after a reload. */
    void (*ready)(void *owner, unsigned index);
    /* Its process is no more: `status` as of waitpid. May call crew_begin, crew_begin_again, crew_signal. */
    void (*ended)(void *owner, unsigned index, int status);
};

struct crew_options {
    const char *config; /* the file's path; it is copied, what follows borrowed */
    unsigned count;
    const struct held *held;
    const struct service *service;
    const struct crew_events *events;
    void *owner;
};

struct crew *crew_new(struct loop *loop, const struct crew_options *options);

/* None may be left: crew_alive is 0. */
void crew_free(struct crew *crew);

/* Begins one that has no process; `again` after a while that doubles from 1 s to 30 s with each end, and is 1 s
 * for who ran for a minute. Returns the while. */
void crew_begin(struct crew *crew, unsigned index);
unsigned long long crew_begin_again(struct crew *crew, unsigned index);

/* To all. Who does not serve yet gets TERM, INT and KILL at once, and others when it does; nobody is begun after
 * one of these three. */
void crew_signal(struct crew *crew, int signum);

/* How many have a process; serve; have not answered a HUP yet. */
unsigned crew_alive(const struct crew *crew);
unsigned crew_serving(const struct crew *crew);
unsigned crew_reloading(const struct crew *crew);

/* What a worker last said of itself; "": nothing. */
const char *crew_status(const struct crew *crew, unsigned index);
