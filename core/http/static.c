/* A path is walked segment by segment, each decoded by itself and opened relative
 * to the last without following links. So there is no joined path that could be
 * normalised differently from how it was checked, and nothing below the directory
 * can lead out of it. openat2(2) with RESOLVE_BENEATH would do the same in one
 * call, where a container's seccomp filter lets it.
 *
 * The ETag is a hash of what is sent: two builds of one content are the same to
 * caches, and a file that changes twice in a second is not. */
#include "http/static.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"
#include "http/date.h"
#include "http/response.h"
#include "http/types.h"

enum { NOT_FOUND = -1, IS_DIRECTORY = -2 };

struct file {
    int fd;
    struct stat stat;
    const char *type;
};

/* -- finding --------------------------------------------------------------- */

/* Opens one segment below `at`, which is closed; NOT_FOUND if there is no such thing. */
static int step(int at, const char *name, int flags)
{
    int fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC);
    close(at);
    return fd < 0 ? NOT_FOUND : fd;
}

/* Decodes a segment; false if no file can have this name, or should. */
static bool decode(struct buf *name, struct bytes segment)
{
    buf_clear(name);
    if (!text_percent_decode(name, segment, false) || !name->size) return false;
    return name->data[0] != '.' && !memchr(name->data, '/', name->size);
}

static bool open_file(struct file *file, int at, const char *name)
{
    /* Not to block on a pipe that somebody put there. */
    file->fd = step(at, name, O_RDONLY | O_NONBLOCK);
    if (file->fd < 0) return false;
    file->type = type_of_file(bytes_of(name));
    return fstat(file->fd, &file->stat) == 0;
}

/* Finds a regular file: 0 with file->fd open, NOT_FOUND or IS_DIRECTORY. */
static int find(struct file *file, const char *directory, struct bytes path)
{
    struct buf name = BUF_EMPTY;
    int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    file->fd = NOT_FOUND;
    while (at >= 0) {
        const char *slash = path.size ? memchr(path.data, '/', path.size) : NULL;
        size_t size = slash ? (size_t)(slash - path.data) : path.size;
        if (!path.size) {
            open_file(file, at, "index.html");
            break;
        }
        if (!decode(&name, bytes_run(path.data, size))) {
            close(at);
            break;
        }
        if (!slash) {
            open_file(file, at, buf_text(&name));
            break;
        }
        at = step(at, buf_text(&name), O_PATH | O_DIRECTORY);
        path = bytes_run(slash + 1, path.size - size - 1);
    }
    buf_destroy(&name);
    if (file->fd < 0) return NOT_FOUND;
    if (S_ISREG(file->stat.st_mode)) return 0;
    close(file->fd);
    return S_ISDIR(file->stat.st_mode) ? IS_DIRECTORY : NOT_FOUND;
}

/* Reads it whole; what another process cuts off or adds meanwhile does no harm. */
static bool read_whole(struct buf *body, const struct file *file)
{
    size_t size = (size_t)file->stat.st_size;
    buf_reserve(body, size);
    while (body->size < size) {
        ssize_t got = read(file->fd, body->data + body->size, size - body->size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        body->size += (size_t)got;
    }
    return true;
}

/* -- conditions ------------------------------------------------------------ */

static struct bytes trimmed(struct bytes text)
{
    while (text.size && strchr(" \t", text.data[0])) text.data++, text.size--;
    while (text.size && strchr(" \t", text.data[text.size - 1])) text.size--;
    return text;
}

/* RFC 9110 section 13.1.2, by the weak comparison that it asks for. Ours holds no comma. */
static bool matches(struct bytes list, struct bytes etag)
{
    while (list.size) {
        const char *comma = memchr(list.data, ',', list.size);
        size_t size = comma ? (size_t)(comma - list.data) : list.size;
        struct bytes one = trimmed(bytes_run(list.data, size));
        if (bytes_is(one, "*")) return true;
        if (one.size > 2 && one.data[0] == 'W' && one.data[1] == '/') one.data += 2, one.size -= 2;
        if (bytes_equal(one, etag)) return true;
        if (!comma) break;
        list = bytes_run(comma + 1, list.size - size - 1);
    }
    return false;
}

static bool is_fresh(const struct http_request *request, struct bytes etag, int64_t modified)
{
    struct bytes none_match = http_header_get(request, "if-none-match");
    if (none_match.data) return matches(none_match, etag);
    struct bytes since = http_header_get(request, "if-modified-since");
    return since.data && modified <= date_read(since);
}

/* -- answering ------------------------------------------------------------- */

static void answer_error(struct exchange *exchange, int status, const char *code,
                         const char *message)
{
    struct http_header headers[] = {{BYTES("content-type"), BYTES("application/json")},
                                    {BYTES("cache-control"), BYTES("no-store")}};
    struct buf body = BUF_EMPTY;
    response_error(&body, code, message);
    struct http_response response = {status, headers, 2, buf_bytes(&body), false};
    exchange->ops->respond(exchange, &response);
    buf_destroy(&body);
}

/* The path begins with one '/' only (an empty segment is never found), so the new place is ours. */
static void answer_redirect(struct exchange *exchange)
{
    struct buf place = BUF_EMPTY;
    buf_add_bytes(&place, exchange->request.path);
    buf_add_char(&place, '/');
    if (exchange->request.query.size) {
        buf_add_char(&place, '?');
        buf_add_bytes(&place, exchange->request.query);
    }
    struct http_header headers[] = {{BYTES("location"), buf_bytes(&place)},
                                    {BYTES("cache-control"), BYTES("no-cache")}};
    exchange->ops->respond(exchange, &(struct http_response){301, headers, 2, BYTES(""), false});
    buf_destroy(&place);
}

static void answer_file(struct exchange *exchange, const struct file *file, struct bytes body,
                        const char *cache_control)
{
    char etag[40], modified[DATE_BYTES];
    uint64_t hash = hash_sip((struct hash_key){0, 0}, body.data ? body.data : "", body.size);
    int size = snprintf(etag, sizeof(etag), "\"%016llx-%zx\"", (unsigned long long)hash, body.size);
    struct bytes tag = bytes_run(etag, (size_t)size);
    date_write(modified, file->stat.st_mtime);
    struct http_header headers[] = {
        {BYTES("cache-control"), bytes_of(cache_control ? cache_control : "no-cache")},
        {BYTES("ETag"), tag},
        {BYTES("last-modified"), bytes_run(modified, DATE_BYTES)},
        {BYTES("x-content-type-options"), BYTES("nosniff")},
        {BYTES("content-type"), bytes_of(file->type)},
    };
    struct http_response response = {200, headers, 5, body, false};
    if (is_fresh(&exchange->request, tag, file->stat.st_mtime)) {
        response.status = 304;
        response.header_count = 3;
        response.body = BYTES("");
    }
    exchange->ops->respond(exchange, &response);
}

static void serve(struct files *files, const char *directory, struct bytes path,
                  const char *cache_control, struct exchange *exchange)
{
    struct static_files *statics = CONTAINER(files, struct static_files, files);
    struct file file;
    struct buf body = BUF_EMPTY;
    int found = find(&file, directory, path);
    if (found == IS_DIRECTORY) {
        answer_redirect(exchange);
        return;
    }
    if (found == NOT_FOUND) {
        answer_error(exchange, 404, "not_found", "There is no such file.");
        return;
    }
    bool small = (uint64_t)file.stat.st_size <= statics->max_file_bytes;
    if (small && read_whole(&body, &file)) {
        answer_file(exchange, &file, buf_bytes(&body), cache_control);
    } else {
        LOG(statics->log, LOG_ERROR, small ? "static file cannot be read" : "static file too large",
            F_TEXT("directory", directory), F_BYTES("path", path),
            F_NUMBER("bytes", file.stat.st_size));
        answer_error(exchange, 500, "internal", "The file cannot be served.");
    }
    close(file.fd);
    buf_destroy(&body);
}

void static_create(struct static_files *statics, struct log *log, size_t max_file_bytes)
{
    *statics = (struct static_files){{serve}, log, max_file_bytes};
}
