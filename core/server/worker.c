/* What is told is lines: "INDEX COUNT", then for each address of the config, in its order, the
 * address as it stands there, a tab, and the address to share or "fd:N". */
#include "server/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/text.h"

#define VARIABLE "SLUICE_WORKER"

enum { MOST = 1 << 20, PORT_MAX = 65535 };

struct place {
    char *address, *shared;
    int fd; /* -1: it is shared */
    bool taken;
};

struct worker {
    unsigned index, count;
    struct place *places;
    size_t place_count;
};

bool worker_is_told(void)
{
    return getenv(VARIABLE) != NULL;
}

static char *copy(struct bytes text)
{
    struct buf out = BUF_EMPTY;
    buf_add_bytes(&out, text);
    return buf_take(&out);
}

static void add_place(struct worker *worker, struct bytes line)
{
    const char *tab = memchr(line.data, '\t', line.size);
    if (!tab) return;
    const size_t before = (size_t)(tab - line.data);
    const struct bytes how = bytes_run(tab + 1, line.size - before - 1);
    const bool passed = how.size > 3 && memcmp(how.data, "fd:", 3) == 0;
    worker->places =
        xrealloc(worker->places, (worker->place_count + 1) * sizeof(*worker->places));
    worker->places[worker->place_count++] = (struct place){
        .address = copy(bytes_run(line.data, before)),
        .shared = passed ? NULL : copy(how),
        .fd = passed ? (int)text_number(bytes_run(how.data + 3, how.size - 3), MOST) : -1};
}

struct worker *worker_new(void)
{
    const char *told = getenv(VARIABLE);
    if (!told) return NULL;
    prctl(PR_SET_NAME, "sluice"); /* it was begun by a descriptor, which is no name */
    struct worker *worker = xcalloc(1, sizeof(*worker));
    char *lines = xstrdup(told);
    struct bytes left = bytes_of(lines);
    const struct bytes first = text_take_line(&left);
    const char *space = memchr(first.data, ' ', first.size);
    const size_t size = space ? (size_t)(space - first.data) : first.size;
    const long long index = text_number(bytes_run(first.data, size), MOST);
    worker->index = index > 0 ? (unsigned)index : 0;
    worker->count = space ? (unsigned)text_number(
                                bytes_run(space + 1, first.size - size - 1), MOST)
                          : 1;
    while (left.size) add_place(worker, text_take_line(&left));
    unsetenv(VARIABLE);
    xfree(lines);
    return worker;
}

void worker_free(struct worker *worker)
{
    if (!worker) return;
    for (size_t i = 0; i < worker->place_count; i++) {
        xfree(worker->places[i].address);
        xfree(worker->places[i].shared);
    }
    xfree(worker->places);
    xfree(worker);
}

unsigned worker_index(const struct worker *worker)
{
    return worker->index;
}

unsigned worker_count(const struct worker *worker)
{
    return worker->count;
}

int worker_take(struct worker *worker, const char *address, const char **shared, struct buf *error)
{
    *shared = NULL;
    for (size_t i = 0; i < worker->place_count; i++) {
        struct place *place = &worker->places[i];
        if (place->taken || strcmp(place->address, address) != 0) continue;
        place->taken = true;
        *shared = place->shared;
        return place->fd;
    }
    buf_printf(error, "cannot listen on %s: it was not in the config when the workers' master was "
                      "started; that takes a restart", address);
    return -1;
}

void worker_tell(struct buf *told, unsigned index, unsigned count)
{
    buf_printf(told, "%u %u\n", index, count);
}

void worker_tell_address(struct buf *told, const char *address, const char *bound, int fd)
{
    if (bound)
        buf_printf(told, "%s\t%s\n", address, bound);
    else
        buf_printf(told, "%s\tfd:%d\n", address, fd);
}

void worker_set_told(struct buf *told)
{
    setenv(VARIABLE, buf_text(told), 1);
}

bool worker_admin(const char *address, unsigned index, struct buf *out)
{
    const char *colon = strrchr(address, ':');
    if (!index || !colon) {
        buf_add_text(out, address);
        return true;
    }
    if (strncmp(address, "unix:", 5) == 0) {
        buf_printf(out, "%s.%u", address, index);
        return true;
    }
    const long long first = text_number(bytes_of(colon + 1), PORT_MAX);
    const long long port = first > 0 ? first + index : first;
    buf_printf(out, "%.*s:%lld", (int)(colon - address), address, port);
    return port >= 0 && port <= PORT_MAX;
}
