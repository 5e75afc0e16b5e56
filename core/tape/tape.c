#include "tape/tape.h"

#include "base/alloc.h"
#include "base/text.h"

struct entry {
    struct redact *redact;
    struct buf line;
    struct buf scratch; /* a text without its secrets, before it becomes JSON */
};

struct tape {
    struct tape_options options;
    struct entry entry;
    struct buf waiting;
    uint64_t began_ms, entries;
    bool over;
};

struct tape *tape_new(const struct tape_options *options)
{
    struct tape *tape = xcalloc(1, sizeof(*tape));
    tape->options = *options;
    tape->began_ms = options->clock->now_ms;
    tape->entry.redact = redact_new(options->names, options->name_count, options->secrets_max);
    return tape;
}

void tape_free(struct tape *tape)
{
    redact_free(tape->entry.redact);
    buf_destroy(&tape->entry.line);
    buf_destroy(&tape->entry.scratch);
    buf_destroy(&tape->waiting);
    xfree(tape);
}

/* ---- lines ---- */

static void compose(struct tape *tape, const char *what,
                    void (*write)(struct entry *entry, const void *ctx), const void *ctx)
{
    struct entry *entry = &tape->entry;
    uint32_t known;
    do {
        known = redact_count(entry->redact);
        buf_clear(&entry->line);
        buf_printf(&entry->line, "{\"t\":%llu,\"what\":\"%s\"",
                   (unsigned long long)(tape->options.clock->now_ms - tape->began_ms), what);
        write(entry, ctx);
        buf_add_text(&entry->line, "}\n");
    } while (redact_count(entry->redact) != known);
}

static void put(struct tape *tape)
{
    buf_add_bytes(&tape->waiting, buf_bytes(&tape->entry.line));
    tape->entries++;
    tape->options.written(tape->options.owner);
}

void tape_add(struct tape *tape, const char *what,
              void (*write)(struct entry *entry, const void *ctx), const void *ctx)
{
    if (tape->over) return;
    compose(tape, what, write, ctx);
    if (redact_full(tape->entry.redact))
        tape_end(tape, "more secrets than can be kept apart");
    else if (tape->waiting.size + tape->entry.line.size > tape->options.most_bytes)
        tape_end(tape, "its reader was too slow");
    else
        put(tape);
}

static void write_end(struct entry *entry, const void *ctx)
{
    entry_text(entry, "why", bytes_of(ctx));
}

void tape_end(struct tape *tape, const char *why)
{
    if (tape->over) return;
    tape->over = true;
    compose(tape, "over", write_end, why);
    put(tape);
}

bool tape_over(const struct tape *tape)
{
    return tape->over;
}

struct bytes tape_bytes(const struct tape *tape)
{
    return buf_bytes(&tape->waiting);
}

void tape_take(struct tape *tape, size_t size)
{
    buf_consume(&tape->waiting, size);
}

uint64_t tape_entries(const struct tape *tape)
{
    return tape->entries;
}

/* ---- fields ---- */

static void begin(struct entry *entry, const char *name)
{
    buf_printf(&entry->line, ",\"%s\":", name);
}

void entry_number(struct entry *entry, const char *name, long long number)
{
    begin(entry, name);
    buf_printf(&entry->line, "%lld", number);
}

void entry_flag(struct entry *entry, const char *name)
{
    begin(entry, name);
    buf_add_text(&entry->line, "true");
}

/* A JSON string of what `redact` makes of the text. */
static void add(struct entry *entry, struct bytes text,
                void (*redact)(struct redact *redact, struct bytes text, struct buf *out))
{
    buf_clear(&entry->scratch);
    redact(entry->redact, text, &entry->scratch);
    text_json_string(&entry->line, buf_bytes(&entry->scratch));
}

void entry_text(struct entry *entry, const char *name, struct bytes text)
{
    if (!text.data) return;
    begin(entry, name);
    add(entry, text, redact_text);
}

void entry_path(struct entry *entry, const char *name, struct bytes path)
{
    begin(entry, name);
    add(entry, path, redact_path);
}

void entry_query(struct entry *entry, const char *name, struct bytes query)
{
    if (!query.size) return;
    begin(entry, name);
    add(entry, query, redact_query);
}

void entry_url(struct entry *entry, const char *name, struct bytes url)
{
    begin(entry, name);
    add(entry, url, redact_url);
}

void entry_list(struct entry *entry, const char *name, const struct bytes *texts, size_t count)
{
    begin(entry, name);
    buf_add_char(&entry->line, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) buf_add_char(&entry->line, ',');
        add(entry, texts[i], redact_text);
    }
    buf_add_char(&entry->line, ']');
}

void entry_headers(struct entry *entry, const struct http_header *headers, size_t count)
{
    begin(entry, "headers");
    buf_add_char(&entry->line, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) buf_add_char(&entry->line, ',');
        buf_add_char(&entry->line, '[');
        add(entry, headers[i].name, redact_text);
        buf_add_char(&entry->line, ',');
        buf_clear(&entry->scratch);
        redact_header(entry->redact, headers[i].name, headers[i].value, &entry->scratch);
        text_json_string(&entry->line, buf_bytes(&entry->scratch));
        buf_add_char(&entry->line, ']');
    }
    buf_add_char(&entry->line, ']');
}

void entry_body(struct entry *entry, const char *name, struct bytes type, struct bytes body)
{
    if (!body.size) return;
    buf_clear(&entry->scratch);
    if (redact_body(entry->redact, type, body, &entry->scratch)) {
        begin(entry, name);
        text_json_string(&entry->line, buf_bytes(&entry->scratch));
    } else {
        buf_printf(&entry->line, ",\"%s_size\":%zu", name, body.size);
    }
}
