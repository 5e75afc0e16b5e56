#include "peers/redis_url.h"

#include <sys/un.h>

#include "base/alloc.h"
#include "base/text.h"

enum { DATABASE_MAX = 65535, PORT_MAX = 65535, HOST_MAX = 253 };

static char *copy(struct bytes text)
{
    char *made = xmalloc(text.size + 1);
    if (text.size) memcpy(made, text.data, text.size);
    made[text.size] = '\0';
    return made;
}

static bool fault(struct buf *error, const char *sentence)
{
    buf_add_text(error, sentence);
    return false;
}

/* Cuts what stands before the first `mark` off the front, and the mark. False: there is none. */
static bool cut(struct bytes *text, char mark, struct bytes *before)
{
    const char *at = text->size ? memchr(text->data, mark, text->size) : NULL;
    if (!at) return false;
    *before = bytes_run(text->data, (size_t)(at - text->data));
    *text = bytes_run(at + 1, text->size - before->size - 1);
    return true;
}

/* Cuts the last `mark` and what stands behind it off the end. */
static bool cut_last(struct bytes *text, char mark, struct bytes *behind)
{
    const char *at = text->size ? memrchr(text->data, mark, text->size) : NULL;
    if (!at) return false;
    *behind = bytes_run(at + 1, text->size - (size_t)(at + 1 - text->data));
    text->size = (size_t)(at - text->data);
    return true;
}

static char *decoded(struct bytes text)
{
    struct buf out = BUF_EMPTY;
    if (text_percent_decode(&out, text, false)) return buf_take(&out);
    buf_destroy(&out);
    return NULL;
}

/* "user:password" or ":password". */
static bool take_user(struct redis_url *url, struct bytes info, struct buf *error)
{
    struct bytes user;
    if (!cut(&info, ':', &user) || !info.size)
        return fault(error, "before the '@' stands \"user:password\", or \":password\" for the "
                            "default user");
    url->password = decoded(info);
    if (user.size) url->user = decoded(user);
    if (!url->password || (user.size && !url->user))
        return fault(error, "user and password are percent-encoded, and a '%' in them is not "
                            "followed by two hex digits");
    return true;
}

static bool take_database(struct redis_url *url, struct bytes text, struct buf *error)
{
    long long database = text_number(text, DATABASE_MAX);
    if (database < 0) {
        buf_printf(error, "the database is a number from 0 to %d, and not \"%.*s\"", DATABASE_MAX,
                   (int)text.size, text.data);
        return false;
    }
    url->database = (int)database;
    return true;
}

static bool is_host(struct bytes name, bool bracketed)
{
    if (!name.size || name.size > HOST_MAX) return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && !strchr(bracketed ? ":.%" : ".-_", c)) return false;
    }
    return true;
}

/* "host", "host:port", "[address]:port". */
static bool take_host(struct redis_url *url, struct bytes text, int standard, struct buf *error)
{
    if (url->host_count == REDIS_URL_HOSTS) {
        buf_printf(error, "it names more than %d sentinels", REDIS_URL_HOSTS);
        return false;
    }
    struct bytes name = text, port = {NULL, 0};
    const bool bracketed = text.size && text.data[0] == '[';
    bool has_port;
    if (bracketed) {
        name = bytes_run(text.data + 1, text.size - 1);
        struct bytes inner;
        if (!cut(&name, ']', &inner)) return fault(error, "a '[' without its ']'");
        port = name;
        name = inner;
        has_port = port.size > 0;
        if (has_port && port.data[0] != ':')
            return fault(error, "behind an address in brackets comes \":port\" or nothing");
        if (has_port) port = bytes_run(port.data + 1, port.size - 1);
    } else {
        has_port = cut_last(&name, ':', &port);
    }
    if (!name.size) return fault(error, "it names no host");
    if (!is_host(name, bracketed)) {
        buf_printf(error, "\"%.*s\" is no host's name or address%s", (int)name.size, name.data,
                   memchr(name.data, ':', name.size) ? " (an IPv6 address stands in brackets)"
                                                     : "");
        return false;
    }
    long long number = has_port ? text_number(port, PORT_MAX) : standard;
    if (number < 1) {
        buf_printf(error, "a port is a number from 1 to %d, and not \"%.*s\"", PORT_MAX,
                   (int)port.size, port.data ? port.data : "");
        return false;
    }
    url->hosts[url->host_count++] = (struct redis_host){copy(name), (uint16_t)number};
    return true;
}

static bool take_place(struct redis_url *url, struct bytes place, struct buf *error)
{
    struct bytes host, behind = place;
    const bool has_database = cut(&behind, '/', &host);
    if (!has_database) host = place;
    if (has_database && behind.size && !take_database(url, behind, error)) return false;
    if (url->kind == REDIS_URL_TCP) return take_host(url, host, REDIS_URL_PORT, error);
    struct bytes one;
    while (cut(&host, ',', &one))
        if (!take_host(url, one, REDIS_URL_SENTINEL_PORT, error)) return false;
    return take_host(url, host, REDIS_URL_SENTINEL_PORT, error);
}

/* The master's name; of the other kinds, that there is none. */
static bool take_master(struct redis_url *url, struct bytes *rest, struct buf *error)
{
    struct bytes before;
    const bool has = cut(rest, '#', &before);
    if (url->kind != REDIS_URL_SENTINEL) {
        if (has)
            return fault(error, "a '#' is for the name of a redis-sentinel:// url's master, "
                                "elsewhere it is written %23");
        return true;
    }
    if (!has || !rest->size)
        return fault(error, "behind sentinels stands '#' and the name of their master: "
                            "redis-sentinel://host:26379,host:26379#mymaster");
    url->master = decoded(*rest);
    *rest = before;
    if (!url->master) return fault(error, "the master's name has a broken percent escape in it");
    return true;
}

static bool take_path(struct redis_url *url, struct bytes rest, struct buf *error)
{
    struct bytes path, query = rest;
    const bool has_query = cut(&query, '?', &path);
    if (!has_query) path = rest;
    if (path.size < 2 || path.data[0] != '/')
        return fault(error, "a Unix socket's path begins with a '/': unix:///run/redis.sock");
    url->path = decoded(path);
    if (!url->path) return fault(error, "the path has a broken percent escape in it");
    if (strlen(url->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        buf_printf(error, "a Unix socket's path has %zu bytes at most",
                   sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
        return false;
    }
    if (!has_query) return true;
    if (query.size < 3 || memcmp(query.data, "db=", 3) != 0)
        return fault(error, "behind a Unix socket's path may stand ?db=number and nothing else");
    return take_database(url, bytes_run(query.data + 3, query.size - 3), error);
}

/* Of what an '@' ends, a '/' or '#' would be taken for the end, and what is behind it shown: a password's rest. */
static bool is_cut_short(const struct redis_url *url, struct bytes rest)
{
    struct bytes before = rest, behind;
    return url->kind != REDIS_URL_UNIX && cut_last(&before, '@', &behind) &&
           (memchr(before.data, '/', before.size) || memchr(before.data, '#', before.size));
}

static bool take_scheme(struct redis_url *url, struct bytes *rest, struct buf *error)
{
    static const struct {
        const char *name;
        enum redis_url_kind kind;
    } schemes[] = {{"redis", REDIS_URL_TCP},
                   {"unix", REDIS_URL_UNIX},
                   {"redis-sentinel", REDIS_URL_SENTINEL}};
    struct bytes scheme;
    if (cut(rest, ':', &scheme) && rest->size >= 2 && memcmp(rest->data, "//", 2) == 0) {
        *rest = bytes_run(rest->data + 2, rest->size - 2);
        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
            url->kind = schemes[i].kind;
            if (bytes_is(scheme, schemes[i].name)) return true;
        }
        if (bytes_is(scheme, "rediss"))
            return fault(error, "rediss:// cannot be had: there is no TLS to Redis; use a Unix "
                                "socket, or redis:// to a TLS proxy (stunnel) on this machine");
    }
    return fault(error, "a Redis server's url begins with redis://, unix:// or redis-sentinel://");
}

static void write_shown(struct redis_url *url)
{
    struct buf out = BUF_EMPTY;
    buf_add_text(&out, url->kind == REDIS_URL_UNIX    ? "unix://"
                       : url->kind == REDIS_URL_TCP ? "redis://"
                                                    : "redis-sentinel://");
    if (url->path) buf_add_text(&out, url->path);
    for (size_t i = 0; i < url->host_count; i++) {
        const char *name = url->hosts[i].name;
        buf_printf(&out, strchr(name, ':') ? "%s[%s]:%u" : "%s%s:%u", i ? "," : "", name,
                   url->hosts[i].port);
    }
    if (url->database) buf_printf(&out, url->path ? "?db=%d" : "/%d", url->database);
    if (url->master) buf_printf(&out, "#%s", url->master);
    url->shown = buf_take(&out);
}

static bool read_url(struct redis_url *url, struct bytes rest, struct buf *error)
{
    if (!take_scheme(url, &rest, error)) return false;
    if (is_cut_short(url, rest))
        return fault(error, "in front of the '@' a '/' is written %2F, and a '#' %23");
    if (!take_master(url, &rest, error)) return false;
    for (size_t i = 0; i < rest.size; i++)
        if ((unsigned char)rest.data[i] <= ' ' || rest.data[i] == 127)
            return fault(error, "it has a space or a control character in it");
    struct bytes authority, behind = rest;
    if (!cut(&behind, '/', &authority)) authority = rest;
    struct bytes info = authority, host;
    if (cut_last(&info, '@', &host)) {
        if (!take_user(url, info, error)) return false;
        rest = bytes_run(host.data, rest.size - (size_t)(host.data - rest.data));
    }
    return url->kind == REDIS_URL_UNIX ? take_path(url, rest, error)
                                       : take_place(url, rest, error);
}

bool redis_url_create(struct redis_url *url, struct bytes text, struct buf *error)
{
    *url = (struct redis_url){0};
    if (!read_url(url, text, error)) {
        redis_url_destroy(url);
        return false;
    }
    write_shown(url);
    return true;
}

static void wipe(char *text)
{
    if (text) explicit_bzero(text, strlen(text));
    xfree(text);
}

void redis_url_destroy(struct redis_url *url)
{
    for (size_t i = 0; i < url->host_count; i++) xfree(url->hosts[i].name);
    xfree(url->path);
    xfree(url->master);
    xfree(url->user);
    wipe(url->password);
    xfree(url->shown);
    *url = (struct redis_url){0};
}
