#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/text.h"

static struct sockaddr_in *four(struct address *address)
{
    return (struct sockaddr_in *)(void *)&address->name;
}

static struct sockaddr_in6 *six(struct address *address)
{
    return (struct sockaddr_in6 *)(void *)&address->name;
}

static bool read_path(struct address *address, const char *text, const char *path,
                      struct buf *error)
{
    struct sockaddr_un *local = (struct sockaddr_un *)(void *)&address->name;
    size_t size = strlen(path);
    if (!size || size >= sizeof(local->sun_path)) {
        buf_printf(error, "\"%s\": the path of a Unix socket has 1 to %zu bytes, not %zu", text,
                   sizeof(local->sun_path) - 1, size);
        return false;
    }
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, size + 1);
    address->size = sizeof(*local);
    return true;
}

static bool read_host(struct address *address, struct bytes host, uint16_t port)
{
    char copy[INET6_ADDRSTRLEN] = "";
    if (host.size == 0 || bytes_is(host, "*")) {
        *six(address) = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        address->size = sizeof(struct sockaddr_in6);
        address->every = true;
        return true;
    }
    if (bytes_is(host, "localhost")) host = BYTES("127.0.0.1");
    bool bracketed = host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (bracketed) host = bytes_run(host.data + 1, host.size - 2);
    if (host.size >= sizeof(copy)) return false;
    memcpy(copy, host.data, host.size);
    if (bracketed) {
        six(address)->sin6_family = AF_INET6;
        six(address)->sin6_port = htons(port);
        address->size = sizeof(struct sockaddr_in6);
        return inet_pton(AF_INET6, copy, &six(address)->sin6_addr) == 1;
    }
    four(address)->sin_family = AF_INET;
    four(address)->sin_port = htons(port);
    address->size = sizeof(struct sockaddr_in);
    return inet_pton(AF_INET, copy, &four(address)->sin_addr) == 1;
}

bool address_is_passed(const char *text)
{
    static const char word[] = "systemd";
    const size_t size = sizeof(word) - 1;
    return strncmp(text, word, size) == 0 && (!text[size] || (text[size] == ':' && text[size + 1]));
}

bool address_read(struct address *address, const char *text, struct buf *error)
{
    *address = (struct address){0};
    if (strncmp(text, "unix:", 5) == 0) return read_path(address, text, text + 5, error);
    const char *colon = strrchr(text, ':');
    long long port = colon ? text_number(bytes_of(colon + 1), 65535) : -1;
    if (port < 0) {
        buf_printf(error,
                   "\"%s\": an address ends with ':' and a port from 0 to 65535, or is unix:/path",
                   text);
        return false;
    }
    if (read_host(address, bytes_run(text, (size_t)(colon - text)), (uint16_t)port)) return true;
    buf_printf(error,
               "\"%s\": the host is an IPv4 address, an IPv6 address in brackets, localhost or *",
               text);
    return false;
}

void address_every4(struct address *address)
{
    in_port_t port = six(address)->sin6_port;
    *address = (struct address){.size = sizeof(struct sockaddr_in), .every = true};
    four(address)->sin_family = AF_INET;
    four(address)->sin_port = port;
}

const char *address_path(const struct address *address)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)(const void *)&address->name;
    return address->name.ss_family == AF_UNIX ? local->sun_path : NULL;
}

void address_write(const struct address *address, struct buf *out)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address->name;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address->name;
    char host[INET6_ADDRSTRLEN] = "";
    if (address->name.ss_family == AF_UNIX) {
        buf_printf(out, "unix:%s", address_path(address));
    } else if (address->every) {
        buf_printf(out, "*:%u", ntohs(v4->sin_port)); /* the port is at one place in both */
    } else if (address->name.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        buf_printf(out, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        buf_printf(out, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

static const struct sockaddr_in6 *six_of(const struct sockaddr *peer)
{
    return (const struct sockaddr_in6 *)(const void *)peer;
}

/* The IPv4 address of a peer that has one; NULL: it has none. */
static const void *four_of(const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET)
        return &((const struct sockaddr_in *)(const void *)peer)->sin_addr;
    if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six_of(peer)->sin6_addr))
        return six_of(peer)->sin6_addr.s6_addr + 12;
    return NULL;
}

void address_write_peer(const struct sockaddr *peer, char out[INET6_ADDRSTRLEN])
{
    const void *v4 = four_of(peer);
    if (v4)
        inet_ntop(AF_INET, v4, out, INET6_ADDRSTRLEN);
    else if (peer->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &six_of(peer)->sin6_addr, out, INET6_ADDRSTRLEN);
    else
        memcpy(out, "unix", 5);
}

bool address_network(const struct sockaddr *peer, uint8_t network[16])
{
    const void *v4 = four_of(peer);
    memset(network, 0, 16);
    if (v4)
        memcpy(network + 12, v4, 4);
    else if (peer->sa_family == AF_INET6)
        memcpy(network, six_of(peer)->sin6_addr.s6_addr, 8);
    return v4 || peer->sa_family == AF_INET6;
}
