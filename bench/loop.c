/*
 * The loop: epoll and nothing else.
 *
 * A batch may hold an event of a source that an earlier handler of the same batch
 * closes and frees. So closing looks through what is left of the batch; batches are
 * short where sockets are closed often.
 */

#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "die.h"

enum { BATCH = 512 };

void loop_create(struct loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) die_errno("epoll_create1");
    loop->_left = 0;
}

void loop_add(struct loop *loop, struct source *source, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    source->fd = fd;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die_errno("epoll_ctl");
}

void loop_close(struct loop *loop, struct source *source)
{
    close(source->fd);
    for (int i = 0; i < loop->_left; i++)
        if (loop->_batch[i].data.ptr == source) loop->_batch[i].data.ptr = NULL;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
    struct epoll_event batch[BATCH];
    int count = epoll_wait(loop->epoll_fd, batch, BATCH, timeout_ms);

    if (count < 0 && errno != EINTR) die_errno("epoll_wait");
    for (int i = 0; i < count; i++) {
        struct source *source = batch[i].data.ptr;

        loop->_batch = batch + i + 1;
        loop->_left = count - i - 1;
        if (source) source->ready(source, batch[i].events);
    }
    return count < 0 ? 0 : count;
}
