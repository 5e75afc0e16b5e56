#include "server/held.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/socket.h"
#include "server/config_list.h"
#include "server/worker.h"

struct place {
    char *text;  /* as the config has it */
    char *bound; /* NULL: a Unix socket */
    struct address address;
    struct socket_file file;
    int fd;
};

struct held {
    struct place *places;
    size_t count;
};

static bool hold(struct held *held, const char *text, struct buf *errors)
{
    struct address address;
    struct buf bound = BUF_EMPTY;
    const int fd = socket_open(text, SOCKET_HOLD, &address, errors);
    if (fd < 0) {
        buf_add_char(errors, '\n');
        return false;
    }
    held->places = xrealloc(held->places, (held->count + 1) * sizeof(*held->places));
    struct place *place = &held->places[held->count++];
    *place = (struct place){.text = xstrdup(text), .address = address, .fd = fd};
    socket_file_note(&place->file, &address);
    address_write(&address, &bound);
    if (!address_path(&address)) place->bound = buf_take(&bound);
    buf_destroy(&bound);
    return true;
}

static bool hold_all(struct held *held, const struct config_list *list, struct buf *errors)
{
    bool good = true;
    for (size_t i = 0; good && i < list->count; i++)
        good = address_is_passed(list->items[i]) || hold(held, list->items[i], errors);
    return good;
}

struct held *held_open(const struct config_list *open, const struct config_list *trusted,
                       struct buf *errors)
{
    struct held *held = xcalloc(1, sizeof(*held));
    if (hold_all(held, open, errors) && hold_all(held, trusted, errors)) return held;
    held_close(held);
    return NULL;
}

void held_close(struct held *held)
{
    if (!held) return;
    for (size_t i = 0; i < held->count; i++) {
        struct place *place = &held->places[i];
        socket_file_remove(&place->file, &place->address);
        close(place->fd);
        xfree(place->text);
        xfree(place->bound);
    }
    xfree(held->places);
    xfree(held);
}

void held_tell(const struct held *held, struct buf *told)
{
    for (size_t i = 0; i < held->count; i++) {
        const struct place *place = &held->places[i];
        worker_tell_address(told, place->text, place->bound, place->fd);
        if (!place->bound) fcntl(place->fd, F_SETFD, 0);
    }
}
