/* held: the public addresses of a master's workers. A TCP port is bound, so that it is theirs as long as the
 * master lives and port 0 is the same for all, and each worker listens on it itself; a Unix socket is opened
 * once and all accept from it. What systemd passes is the service's (service.h). */
#pragma once

struct buf;
struct config_list;
struct held;

/* NULL: one line in errors. */
struct held *held_open(const struct config_list *open, const struct config_list *trusted,
                       struct buf *errors);

/* Lets go of all of it; removes the files of Unix sockets. */
void held_close(struct held *held);

/* In a worker that is about to be: what there is, for worker.h; and the sockets that are passed stay open. */
void held_tell(const struct held *held, struct buf *told);
