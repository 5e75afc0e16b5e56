#include "http/proxies.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"

enum { CHAIN_MAX = 32, V4_BITS = 96 }; /* an IPv4 address is one of ::ffff:0:0/96 */

struct ip {
    uint8_t bytes[16];
};

struct network {
    struct ip ip;
    unsigned bits;
};

_Static_assert(PROXIES_ADDRESS_BYTES == INET6_ADDRSTRLEN, "room for any address");

/* ---- addresses ---- */

static bool read_ip(struct bytes text, struct ip *ip, bool *four)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char copy[INET6_ADDRSTRLEN] = "";
    if (!text.size || text.size >= sizeof(copy) || memchr(text.data, '\0', text.size)) return false;
    memcpy(copy, text.data, text.size);
    *four = inet_pton(AF_INET, copy, ip->bytes + 12) == 1;
    if (*four) memcpy(ip->bytes, mapped, sizeof(mapped));
    return *four || inet_pton(AF_INET6, copy, ip->bytes) == 1;
}

static void write_ip(const struct ip *ip, char out[PROXIES_ADDRESS_BYTES])
{
    struct in6_addr six;
    memcpy(&six, ip->bytes, sizeof(six));
    if (IN6_IS_ADDR_V4MAPPED(&six))
        inet_ntop(AF_INET, ip->bytes + 12, out, PROXIES_ADDRESS_BYTES);
    else
        inet_ntop(AF_INET6, &six, out, PROXIES_ADDRESS_BYTES);
}

static bool is_port(struct bytes text)
{
    return text_number(text, 65535) >= 0;
}

/* What a header calls a node: an address, with a port or without; IPv6 in brackets, or bare without a
 * port as X-Forwarded-For has it. */
static bool read_node(struct bytes text, struct ip *ip)
{
    bool four;
    const char *end = text.data + text.size;
    if (text.size && text.data[0] == '[') {
        const char *close = memchr(text.data, ']', text.size);
        if (!close || !read_ip(bytes_run(text.data + 1, (size_t)(close - text.data) - 1), ip, &four) || four)
            return false;
        return close + 1 == end ||
               (close[1] == ':' && is_port(bytes_run(close + 2, (size_t)(end - close) - 2)));
    }
    if (read_ip(text, ip, &four)) return true;
    const char *colon = text.size ? memchr(text.data, ':', text.size) : NULL;
    return colon && read_ip(bytes_run(text.data, (size_t)(colon - text.data)), ip, &four) && four &&
           is_port(bytes_run(colon + 1, (size_t)(end - colon) - 1));
}

/* ---- the config's list ---- */

void proxies_destroy(struct proxies *proxies)
{
    xfree(proxies->_networks);
    *proxies = PROXIES_NONE;
}

static bool bits_equal(const struct ip *a, const struct ip *b, unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0) return false;
    return !rest || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_clear_behind(const struct network *network)
{
    for (unsigned bit = network->bits; bit < 128; bit++)
        if (network->ip.bytes[bit / 8] & (0x80 >> bit % 8)) return false;
    return true;
}

bool proxies_add(struct proxies *proxies, const char *text, struct buf *error)
{
    const char *slash = strchr(text, '/');
    struct network network;
    bool four;
    if (strcmp(text, "unix") == 0) {
        proxies->_local = true;
        return true;
    }
    const size_t size = slash ? (size_t)(slash - text) : strlen(text);
    if (!read_ip(bytes_run(text, size), &network.ip, &four)) {
        buf_printf(error, "\"%s\": expected an address, a network such as 10.0.0.0/8, or unix", text);
        return false;
    }
    const long long widest = four ? 32 : 128;
    const long long prefix = slash ? text_number(bytes_of(slash + 1), widest) : widest;
    network.bits = (unsigned)(prefix + (four ? V4_BITS : 0));
    if (prefix < 0 || !is_clear_behind(&network)) {
        buf_printf(error, "\"%s\": %s", text,
                   prefix < 0 ? "the prefix is longer than the address, or no number"
                              : "the address has bits behind its prefix");
        return false;
    }
    proxies->_networks =
        xrealloc(proxies->_networks, (proxies->_count + 1) * sizeof(struct network));
    proxies->_networks[proxies->_count++] = network;
    return true;
}

static bool is_ours(const struct proxies *proxies, const struct ip *ip)
{
    for (size_t i = 0; i < proxies->_count; i++)
        if (bits_equal(&proxies->_networks[i].ip, ip, proxies->_networks[i].bits)) return true;
    return false;
}

bool proxies_trust(const struct proxies *proxies, struct bytes peer)
{
    struct ip ip;
    bool four;
    if (bytes_is(peer, "unix")) return proxies->_local;
    return proxies->_count && read_ip(peer, &ip, &four) && is_ours(proxies, &ip);
}

/* ---- the chain of a request ---- */

/* What a proxy says of whom it serves. */
struct hop {
    struct bytes node;   /* empty: no address */
    struct bytes scheme; /* empty: not said */
};

/* The last entries of the header's lines, in order; none is longer than the head. */
struct chain {
    struct hop hops[CHAIN_MAX];
    size_t count; /* all in all; the last CHAIN_MAX are there */
};

static void add_hop(struct chain *chain, struct hop hop)
{
    chain->hops[chain->count++ % CHAIN_MAX] = hop;
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_run(text.data + 1, text.size - 1);
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) text.size--;
    return text;
}

/* "a, b, c" */
static void read_list(struct chain *chain, struct bytes line)
{
    for (;;) {
        const char *comma = line.size ? memchr(line.data, ',', line.size) : NULL;
        const size_t size = comma ? (size_t)(comma - line.data) : line.size;
        add_hop(chain, (struct hop){.node = trimmed(bytes_run(line.data, size))});
        if (!comma) return;
        line = bytes_run(comma + 1, line.size - size - 1);
    }
}

/* A token or quoted string (RFC 9110, 5.6) at the front of what is left, without its quotes; false: it is
 * neither. An escape within quotes is none that an address needs: the value is then no address. */
static bool take_value(struct bytes *line, struct bytes *value)
{
    const char *at = line->data, *end = at + line->size;
    if (at < end && *at == '"') {
        const char *from = ++at;
        while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
        if (at >= end) return false;
        *value = bytes_run(from, (size_t)(at++ - from));
    } else {
        const char *from = at;
        while (at < end && !strchr(",;=\" \t", *at)) at++;
        if (at == from) return false;
        *value = bytes_run(from, (size_t)(at - from));
    }
    *line = bytes_run(at, (size_t)(end - at));
    return true;
}

/* Takes the separator, if it is that. */
static bool take_char(struct bytes *line, char wanted)
{
    *line = trimmed(*line);
    if (!line->size || line->data[0] != wanted) return false;
    *line = trimmed(bytes_run(line->data + 1, line->size - 1));
    return true;
}

/* What is said twice is nothing that is good for anything. */
static void say(struct bytes *what, struct bytes value)
{
    *what = what->size ? BYTES("twice") : value;
}

/* "for=a;proto=https, for=b" (RFC 7239, 4). A line that is not well-formed says nothing: who wrote its left half may
 * have quoted the right one away. */
static void read_forwarded(struct chain *chain, struct bytes line)
{
    const struct hop none = {.node = BYTES("")};
    struct chain found = {.count = 0};
    struct hop hop = none;
    struct bytes name, value;
    line = trimmed(line);
    for (;;) {
        if (!take_value(&line, &name) || !take_char(&line, '=') || !take_value(&line, &value)) break;
        if (text_equal_nocase(name, BYTES("for"))) say(&hop.node, value);
        if (text_equal_nocase(name, BYTES("proto"))) say(&hop.scheme, value);
        if (take_char(&line, ';')) continue;
        add_hop(&found, hop);
        hop = none;
        if (take_char(&line, ',')) continue;
        if (line.size) break;
        const size_t first = found.count > CHAIN_MAX ? found.count - CHAIN_MAX : 0;
        for (size_t i = first; i < found.count; i++) add_hop(chain, found.hops[i % CHAIN_MAX]);
        return;
    }
    add_hop(chain, none);
}

static bool is_listed(const struct proxies *proxies)
{
    return strcmp(proxies->header, "forwarded") != 0;
}

static void read_chain(const struct proxies *proxies, const struct http_request *request,
                       struct chain *chain)
{
    const bool listed = is_listed(proxies);
    for (size_t i = 0; i < request->header_count; i++) {
        if (!bytes_is(request->headers[i].name, proxies->header)) continue;
        if (listed)
            read_list(chain, request->headers[i].value);
        else
            read_forwarded(chain, request->headers[i].value);
    }
}

static bool is_secure(struct bytes scheme)
{
    return text_equal_nocase(scheme, BYTES("https"));
}

/* Beside X-Forwarded-For. */
static void read_scheme(const struct http_request *request, bool *secure)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct bytes value = request->headers[i].value;
        if (!bytes_is(request->headers[i].name, "x-forwarded-proto")) continue;
        const char *comma = value.size ? memrchr(value.data, ',', value.size) : NULL;
        const size_t skipped = comma ? (size_t)(comma + 1 - value.data) : 0;
        *secure = is_secure(trimmed(bytes_run(value.data + skipped, value.size - skipped)));
    }
}

void proxies_client(const struct proxies *proxies, const struct http_request *request,
                    char client[PROXIES_ADDRESS_BYTES], bool *secure)
{
    const bool listed = is_listed(proxies);
    const struct bytes peer = request->address;
    struct chain chain = {.count = 0};
    struct ip ip;
    CHECK(peer.size < PROXIES_ADDRESS_BYTES);
    memcpy(client, peer.data, peer.size);
    client[peer.size] = '\0';
    *secure = request->secure;
    if (!proxies_trust(proxies, peer)) return;
    if (listed) read_scheme(request, secure);
    read_chain(proxies, request, &chain);
    for (size_t i = chain.count; i > 0 && chain.count - i < CHAIN_MAX; i--) {
        const struct hop *hop = &chain.hops[(i - 1) % CHAIN_MAX];
        if (!listed) *secure = is_secure(hop->scheme);
        if (!read_node(hop->node, &ip)) return;
        write_ip(&ip, client);
        if (!is_ours(proxies, &ip)) return;
    }
}
