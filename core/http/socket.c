/* A port that several processes share is held by one that does not listen and does
 * not take part in the sharing (no SO_REUSEPORT): binding it fails where somebody
 * listens already, also where who listens would share with anybody of this user. The
 * kernel lets the others bind beside it, because it reuses the address and is not
 * listening. */
#include "http/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static void set_option(int fd, int level, int option, int value)
{
    /* None of them is needed to serve, or what needs it fails with a better error. */
    setsockopt(fd, level, option, &value, sizeof(value));
}

static int make(const struct address *address, enum socket_use use)
{
    const int family = address->name.ss_family;
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || family == AF_UNIX) return fd;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (use == SOCKET_SHARE) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->every);
    return fd;
}

/* A socket file that refuses connections was left behind by a process that is no more. */
static bool is_stale(const struct address *address)
{
    struct stat file;
    if (lstat(address_path(address), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    int status = connect(fd, (const struct sockaddr *)&address->name, address->size);
    bool refused = status != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_socket(int fd, const struct address *address)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->name;
    if (bind(fd, name, address->size) == 0) return 0;
    if (errno != EADDRINUSE || !address_path(address)) return -1;
    if (!is_stale(address)) {
        errno = EADDRINUSE;
        return -1;
    }
    unlink(address_path(address));
    return bind(fd, name, address->size);
}

/* The descriptor, or -1 with errno. */
static int open_at(const struct address *address, enum socket_use use)
{
    const bool listens = use != SOCKET_HOLD || address_path(address);
    const int fd = make(address, use);
    if (fd < 0) return -1;
    if (bind_socket(fd, address) == 0 && (!listens || listen(fd, SOMAXCONN) == 0)) return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void explain(struct buf *error, const struct address *address, const char *text, int number)
{
    buf_printf(error, "cannot listen on %s: ", text);
    if (number == EADDRINUSE && address_path(address))
        buf_add_text(error, "another process answers there, or the file is no socket");
    else if (number == EADDRINUSE)
        buf_add_text(error, "the port is taken");
    else if (number == EADDRNOTAVAIL)
        buf_add_text(error, "this machine has no such address");
    else if (number == EACCES && !address_path(address))
        buf_add_text(error, "ports below 1024 need a privilege");
    else
        buf_add_text(error, strerror(number));
}

int socket_open(const char *text, enum socket_use use, struct address *address, struct buf *error)
{
    if (!address_read(address, text, error)) return -1;
    int fd = open_at(address, use);
    if (fd < 0 && address->every && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        address_every4(address);
        fd = open_at(address, use);
    }
    if (fd < 0) {
        explain(error, address, text, errno);
    } else if (!address_path(address)) {
        address->size = sizeof(address->name);
        getsockname(fd, (struct sockaddr *)&address->name, &address->size);
    }
    return fd;
}

void socket_file_note(struct socket_file *file, const struct address *address)
{
    struct stat found;
    *file = (struct socket_file){.inode = 0};
    if (address_path(address) && lstat(address_path(address), &found) == 0)
        *file = (struct socket_file){found.st_dev, found.st_ino};
}

void socket_file_remove(const struct socket_file *file, const struct address *address)
{
    struct stat found;
    const char *path = address_path(address);
    if (file->inode && path && lstat(path, &found) == 0 && found.st_dev == file->device &&
        found.st_ino == file->inode)
        unlink(path);
}
