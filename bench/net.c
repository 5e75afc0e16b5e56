#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "die.h"

enum { SOURCES = 16, BACKLOG = 4096 };

struct sockaddr_in net_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[32];
    unsigned short port;

    if (sscanf(text, "%31[0-9.]:%hu", host, &port) != 2 || !inet_aton(host, &address.sin_addr))
        die("expected an address such as 127.0.0.1:8080, got \"%s\"", text);
    address.sin_port = htons(port);
    return address;
}

struct net_targets net_targets(const char *text)
{
    struct net_targets targets = {.count = 0};

    do {
        if (targets.count == NET_TARGETS) die("more than %d targets", NET_TARGETS);
        targets.at[targets.count++] = net_address(text);
        text = strchr(text, ',');
    } while (text++);
    return targets;
}

static void set_on(int fd, int level, int option)
{
    int on = 1;

    if (setsockopt(fd, level, option, &on, sizeof on) < 0) die_errno("setsockopt");
}

static int open_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0) die_errno("socket");
    return fd;
}

static void bind_source(int fd, unsigned number)
{
    struct sockaddr_in from = {.sin_family = AF_INET};

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number % SOURCES);
    set_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) die_errno("bind");
}

int net_connect(const struct sockaddr_in *to, unsigned number)
{
    int fd = open_socket(0);

    if (ntohl(to->sin_addr.s_addr) >> 24 == 127) bind_source(fd, number);
    set_on(fd, IPPROTO_TCP, TCP_NODELAY);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0) die_errno("connect");
    return fd;
}

int net_connect_any(const struct net_targets *to, unsigned number)
{
    return net_connect(&to->at[number % to->count], number);
}

int net_listen(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = open_socket(SOCK_NONBLOCK);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    set_on(fd, SOL_SOCKET, SO_REUSEADDR);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die_errno("bind");
    if (listen(fd, BACKLOG) < 0) die_errno("listen");
    return fd;
}

unsigned net_port(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) die_errno("getsockname");
    return ntohs(address.sin_port);
}

int net_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        set_on(fd, IPPROTO_TCP, TCP_NODELAY);
    else if (errno != EAGAIN && errno != ECONNABORTED)
        die_errno("accept4");
    return fd;
}

int net_send(int fd, const char *bytes, unsigned long length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return -1;
        bytes += sent;
        length -= (unsigned long)sent;
    }
    return 0;
}
