/* libev's own flag for "this descriptor may be a new one" (EV__IOFDSET, set by
 * ev_io_init) is left in place by ev_io_modify, so a number that the kernel hands
 * out again within a turn is added to epoll anew. */
#include "loop/watch.h"

#include "base/check.h"

_Static_assert((int)WATCH_READ == (int)EV_READ && (int)WATCH_WRITE == (int)EV_WRITE,
               "interests are libev's bits");

static void on_ready(struct ev_loop *ev, ev_io *io, int events)
{
    (void)ev;
    struct watch *watch = CONTAINER(io, struct watch, _io);
    watch->ready(watch, events & (WATCH_READ | WATCH_WRITE));
}

void watch_create(struct watch *watch, struct loop *loop, int fd,
                  void (*ready)(struct watch *watch, int events))
{
    ev_io_init(&watch->_io, on_ready, fd, EV_NONE);
    watch->_io.data = loop_ev(loop);
    watch->ready = ready;
}

void watch_set(struct watch *watch, int events)
{
    ev_io *io = &watch->_io;
    struct ev_loop *ev = io->data;
    int set = ev_is_active(io) ? io->events & (WATCH_READ | WATCH_WRITE) : WATCH_NONE;
    if (set == events) return;
    ev_io_stop(ev, io);
    if (events == WATCH_NONE) return;
    ev_io_modify(io, events);
    ev_io_start(ev, io);
}

void watch_stop(struct watch *watch)
{
    watch_set(watch, WATCH_NONE);
}
