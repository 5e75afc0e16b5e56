#include "tape/redact.h"

#include "base/alloc.h"
#include "base/dict.h"
#include "base/text.h"
#include "tape/redact_json.h"
#include "tape/secrets.h"

enum { NAME_LONGEST = 128 };

struct redact {
    struct dict names; /* folded; the value is the redact itself */
    struct secrets *secrets;
};

/* ---- names ---- */

/* Lower case, without '-' and '_'. Returns the size; 0 for what is too long to be declared. */
static size_t fold(struct bytes name, char to[NAME_LONGEST])
{
    size_t size = 0;
    if (name.size > NAME_LONGEST) return 0;
    for (size_t i = 0; i < name.size; i++) {
        const char c = name.data[i];
        if (c != '-' && c != '_') to[size++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return size;
}

static void declare(struct redact *redact, const char *name)
{
    char folded[NAME_LONGEST];
    const size_t size = fold(bytes_of(name), folded);
    if (size) dict_set(&redact->names, bytes_run(folded, size), redact);
}

bool redact_is_secret(const struct redact *redact, struct bytes name)
{
    char folded[NAME_LONGEST];
    const size_t size = fold(name, folded);
    return size && dict_get(&redact->names, bytes_run(folded, size));
}

struct redact *redact_new(const char *const *names, size_t count, uint32_t secrets_max)
{
    static const char *const always[] = {"authorization", "proxy-authorization", "cookie",
                                         "set-cookie"};
    struct redact *redact = xcalloc(1, sizeof(*redact));
    redact->secrets = secrets_new(secrets_max);
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) declare(redact, always[i]);
    for (size_t i = 0; i < count; i++) declare(redact, names[i]);
    return redact;
}

void redact_free(struct redact *redact)
{
    secrets_free(redact->secrets);
    dict_destroy(&redact->names);
    xfree(redact);
}

void redact_name(struct redact *redact, struct bytes value, struct buf *out)
{
    secrets_name(redact->secrets, value, out);
}

bool redact_known(const struct redact *redact, struct bytes text, struct buf *out)
{
    return secrets_replace(redact->secrets, text, out);
}

uint32_t redact_count(const struct redact *redact)
{
    return secrets_count(redact->secrets);
}

bool redact_full(const struct redact *redact)
{
    return secrets_full(redact->secrets);
}

void redact_text(struct redact *redact, struct bytes text, struct buf *out)
{
    redact_known(redact, text, out);
}

/* ---- pieces ---- */

/* Takes what stands before the first `mark` off the front, and the mark. *marked: it was there. */
static struct bytes take_until(struct bytes *rest, char mark, bool *marked)
{
    *marked = false;
    if (!rest->size) return *rest;
    const char *end = memchr(rest->data, mark, rest->size);
    const size_t size = end ? (size_t)(end - rest->data) : rest->size;
    const struct bytes piece = bytes_run(rest->data, size);
    *marked = end;
    *rest = bytes_run(rest->data + size + (end ? 1 : 0), rest->size - size - (end ? 1 : 0));
    return piece;
}

static bool has(struct bytes text, const char *part)
{
    return text.size && memmem(text.data, text.size, part, strlen(part));
}

/* A percent-encoded piece: known values are looked for in what it means, and as it is spelled. */
static void add_encoded(struct redact *redact, struct bytes piece, bool plus, struct buf *out)
{
    struct buf means = BUF_EMPTY, kept = BUF_EMPTY, spelled = BUF_EMPTY;
    const bool well = text_percent_decode(&means, piece, plus);
    if (well && redact_known(redact, buf_bytes(&means), &kept)) {
        text_percent_encode(&spelled, buf_bytes(&kept));
        piece = buf_bytes(&spelled);
    }
    redact_known(redact, piece, out);
    buf_destroy(&means);
    buf_destroy(&kept);
    buf_destroy(&spelled);
}

/* The pseudonym of what a field's value means. */
static void add_secret_field(struct redact *redact, struct bytes value, struct buf *out)
{
    struct buf means = BUF_EMPTY;
    const bool well = text_percent_decode(&means, value, true);
    redact_name(redact, well ? buf_bytes(&means) : value, out);
    buf_destroy(&means);
}

static bool is_secret_field(const struct redact *redact, struct bytes name)
{
    struct buf means = BUF_EMPTY;
    const bool well = text_percent_decode(&means, name, true);
    const bool secret = redact_is_secret(redact, well ? buf_bytes(&means) : name);
    buf_destroy(&means);
    return secret;
}

/* ---- queries, paths, URLs ---- */

void redact_query(struct redact *redact, struct bytes query, struct buf *out)
{
    for (bool more = true; more;) {
        bool valued = false;
        struct bytes value = take_until(&query, '&', &more);
        const struct bytes name = take_until(&value, '=', &valued);
        add_encoded(redact, name, true, out);
        if (valued) buf_add_char(out, '=');
        if (valued && is_secret_field(redact, name))
            add_secret_field(redact, value, out);
        else
            add_encoded(redact, value, true, out);
        if (more) buf_add_char(out, '&');
    }
}

/* The whole first, as a value may have a '/' in it that nobody encoded. */
void redact_path(struct redact *redact, struct bytes path, struct buf *out)
{
    struct buf whole = BUF_EMPTY;
    redact_known(redact, path, &whole);
    struct bytes rest = buf_bytes(&whole);
    for (bool more = true; more;) {
        add_encoded(redact, take_until(&rest, '/', &more), false, out);
        if (more) buf_add_char(out, '/');
    }
    buf_destroy(&whole);
}

/* Scheme and authority, of which the credentials are a secret, off the front of the URL. */
static void take_origin(struct redact *redact, struct bytes *url, struct buf *out)
{
    const char *scheme = url->size ? memmem(url->data, url->size, "://", 3) : NULL;
    if (!scheme) return;
    const size_t head = (size_t)(scheme - url->data) + 3;
    const char *slash = memchr(url->data + head, '/', url->size - head);
    const size_t size = slash ? (size_t)(slash - url->data) : url->size;
    const char *at = memrchr(url->data + head, '@', size - head);
    buf_add(out, url->data, head);
    if (at) redact_name(redact, bytes_run(url->data + head, (size_t)(at - url->data) - head), out);
    const size_t host = at ? (size_t)(at - url->data) : head;
    redact_known(redact, bytes_run(url->data + host, size - host), out);
    *url = bytes_run(url->data + size, url->size - size);
}

void redact_url(struct redact *redact, struct bytes url, struct buf *out)
{
    bool has_query, has_fragment;
    struct bytes fragment = url, query = take_until(&fragment, '#', &has_fragment);
    struct bytes path = take_until(&query, '?', &has_query), rest = query;
    take_origin(redact, &path, out);
    redact_path(redact, path, out);
    if (has_query) buf_add_char(out, '?');
    if (has_query) redact_query(redact, rest, out);
    if (has_fragment) buf_add_char(out, '#');
    if (has_fragment) redact_query(redact, fragment, out);
}

/* ---- headers ---- */

/* "a=1; b=2": each value is a secret of its own; what has no name is one, too. */
static void add_cookies(struct redact *redact, struct bytes cookies, bool first_only,
                        struct buf *out)
{
    for (bool more = true, first = true; more; first = false) {
        bool valued = false;
        struct bytes value = take_until(&cookies, ';', &more), all = value;
        struct bytes name = take_until(&value, '=', &valued);
        while (all.size && all.data[0] == ' ') {
            buf_add_char(out, ' ');
            all = bytes_run(all.data + 1, all.size - 1);
        }
        if (first_only && !first) {
            redact_known(redact, all, out);
        } else if (valued) {
            while (name.size && name.data[0] == ' ') name = bytes_run(name.data + 1, name.size - 1);
            redact_known(redact, name, out);
            buf_add_char(out, '=');
            redact_name(redact, value, out);
        } else {
            redact_name(redact, all, out);
        }
        if (more) buf_add_char(out, ';');
    }
}

static void add_credentials(struct redact *redact, struct bytes value, struct buf *out)
{
    bool schemed;
    struct bytes rest = value, scheme = take_until(&rest, ' ', &schemed);
    if (schemed) {
        buf_add_bytes(out, scheme);
        buf_add_char(out, ' ');
    }
    redact_name(redact, schemed ? rest : value, out);
}

void redact_header(struct redact *redact, struct bytes name, struct bytes value, struct buf *out)
{
    static const struct bytes authorization = {"authorization", 13};
    const bool ends = name.size >= authorization.size;
    const struct bytes end = ends ? bytes_run(name.data + name.size - authorization.size,
                                              authorization.size) : name;
    if (text_equal_nocase(name, BYTES("cookie")))
        add_cookies(redact, value, false, out);
    else if (text_equal_nocase(name, BYTES("set-cookie")))
        add_cookies(redact, value, true, out);
    else if (text_equal_nocase(end, authorization))
        add_credentials(redact, value, out);
    else if (redact_is_secret(redact, name))
        redact_name(redact, value, out);
    else if (has(value, "://") || has(value, "?"))
        redact_url(redact, value, out);
    else
        redact_known(redact, value, out);
}

/* ---- bodies ---- */

static struct bytes trim(struct bytes text)
{
    while (text.size && strchr(" \t\r\n", text.data[0]))
        text = bytes_run(text.data + 1, text.size - 1);
    return text;
}

static bool is_type(struct bytes type, const char *part)
{
    const size_t size = strlen(part);
    for (size_t at = 0; at + size <= type.size; at++)
        if (text_equal_nocase(bytes_run(type.data + at, size), bytes_run(part, size))) return true;
    return false;
}

/* A form that says nothing of being one: fields without a blank. */
static bool looks_like_form(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == '<') return false;
    return has(text, "=");
}

bool redact_body(struct redact *redact, struct bytes type, struct bytes body, struct buf *out)
{
    const struct bytes begin = trim(body);
    if (!body.size) return true;
    if (body.size > REDACT_BODY_MAX || !text_is_utf8(body)) return false;
    if (is_type(type, "multipart/")) return false;
    if (begin.size && strchr("{[\"", begin.data[0])) { /* whatever its type says */
        if (redact_json(redact, body, out)) return true;
        if (begin.data[0] == '{' || is_type(type, "json")) return false;
    }
    if (is_type(type, "x-www-form-urlencoded") || looks_like_form(body))
        redact_query(redact, body, out);
    else
        redact_known(redact, body, out);
    return true;
}
