/* worker: what this process was told when a master (master.h) began it as one of several that serve the
 * same addresses; and what is agreed between both: the variable SLUICE_WORKER, the admin addresses, the
 * signal that ends at once. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "base/buf.h"

/* To a worker: end at once. TERM and INT drain it, however often they come: those of a service manager or a
 * terminal reach the master and its workers, and are no second word of anybody. */
enum { WORKER_AT_ONCE = SIGUSR2 };

struct worker;

/* Was this process begun by a master? */
bool worker_is_told(void);

/* Takes what the environment says, so that nobody else finds it there. NULL: nothing. */
struct worker *worker_new(void);
void worker_free(struct worker *worker); /* NULL: nothing */

/* From 0, and of how many. */
unsigned worker_index(const struct worker *worker);
unsigned worker_count(const struct worker *worker);

/* How to listen where the config says `address`, each time it says so: the descriptor of a socket that
 * listens, the caller's from now on; or -1, with the address to share in *shared, borrowed; or -1 and NULL,
 * and a sentence in `error`: the master had another config. */
int worker_take(struct worker *worker, const char *address, const char **shared, struct buf *error);

/* For the master, the same in the other direction: begins what is told with worker_tell, adds an address
 * that is shared as `bound` or, if that is NULL, passed as `fd`; and sets it in the environment. */
void worker_tell(struct buf *told, unsigned index, unsigned count);
void worker_tell_address(struct buf *told, const char *address, const char *bound, int fd);
void worker_set_told(struct buf *told);

/* Appends where a worker's admin listener is: for "127.0.0.1:8081" the port's next ones, for "unix:/path" the
 * path with ".1", ".2" behind it; the first is at the address itself, and port 0 is 0 for all. False: there is
 * no such port. */
bool worker_admin(const char *address, unsigned index, struct buf *out);
