/* tail: follows a stream on the terminal, as a browser's EventSource would: comes back with the last event id
 * after the server's `retry`, and no more where the server says that it shall not. One line an event,
 * whatever is in it; what it says of the connection goes to stderr. Ctrl-C ends it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/line.h"
#include "base/text.h"
#include "event/parser.h"
#include "server/ask.h"
#include "server/commands.h"

enum { EVENT_BYTES_MAX = 16 << 20, REFUSAL_BYTES_MAX = 4096, HEADERS_MAX = 16 };
enum { RETRY_MS = 3000, WAIT_MIN_MS = 100, WAIT_MAX_MS = 30000 };

struct tail {
    struct call call;
    const char *headers[HEADERS_MAX + 4];
    size_t header_count;
    struct buf last_id_line;
    bool json;
    struct sse_parser parser;
    struct call_head head;
    struct buf line, refusal;
    uint64_t retry_ms;
    unsigned failed; /* attempts in a row that brought no stream */
    bool came;       /* there was one */
    bool too_large;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("sluice tail: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* ---- an event ---- */

/* At the end of a line a text needs no quotes: only what would end the line or move the terminal is escaped. */
static void add_rest(struct buf *line, struct bytes text)
{
    struct buf quoted = BUF_EMPTY;
    line_quoted(&quoted, text);
    for (size_t i = 1; i + 1 < quoted.size; i++) {
        const bool plain = quoted.data[i] == '\\' && strchr("\"\\", quoted.data[i + 1]);
        if (!plain && quoted.data[i] == '\\') buf_add_char(line, quoted.data[i++]);
        buf_add_char(line, quoted.data[plain ? ++i : i]);
    }
    buf_destroy(&quoted);
}

static void add_json(struct buf *line, const char *name, struct bytes text)
{
    buf_printf(line, "%s\"%s\":", line->size ? "," : "{", name);
    line_quoted(line, text);
}

static void write_json(struct buf *line, struct bytes at, const struct sse_event *event)
{
    add_json(line, "time", at);
    add_json(line, "type", event->type);
    add_json(line, "id", event->id);
    add_json(line, "data", event->data);
    buf_add_char(line, '}');
}

static void write_readable(struct buf *line, struct bytes at, const struct sse_event *event)
{
    buf_add_bytes(line, at);
    buf_add_text(line, "  ");
    line_word(line, event->type);
    buf_add_text(line, "  ");
    if (event->id.size)
        line_word(line, event->id);
    else
        buf_add_char(line, '-');
    buf_add_text(line, "  ");
    add_rest(line, event->data);
}

static void on_event(void *owner, const struct sse_event *event)
{
    struct tail *tail = owner;
    struct buf at = BUF_EMPTY;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    line_time(&at, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    buf_clear(&tail->line);
    (tail->json ? write_json : write_readable)(&tail->line, buf_bytes(&at), event);
    buf_add_char(&tail->line, '\n');
    fwrite(tail->line.data, 1, tail->line.size, stdout);
    buf_destroy(&at);
}

static void on_retry(void *owner, uint64_t retry_ms)
{
    struct tail *tail = owner;
    tail->retry_ms = retry_ms;
}

static const struct sse_parser_events parser_events = {on_event, on_retry};

/* ---- one connection ---- */

static bool is_stream(const struct tail *tail)
{
    const char *type = tail->head.content_type;
    return tail->head.status == 200 &&
           text_equal_nocase(bytes_run(type, strcspn(type, "; ")), BYTES("text/event-stream"));
}

static bool take(void *ctx, int status, struct bytes piece)
{
    struct tail *tail = ctx;
    (void)status; /* the head has it, too */
    if (!is_stream(tail)) {
        const size_t room = REFUSAL_BYTES_MAX - tail->refusal.size;
        buf_add(&tail->refusal, piece.data, piece.size < room ? piece.size : room);
        return tail->refusal.size < REFUSAL_BYTES_MAX;
    }
    tail->too_large = sse_parser_feed(&tail->parser, piece) == SSE_TOO_LARGE;
    fflush(stdout);
    return !tail->too_large && !ferror(stdout);
}

/* The status of its answer; 0: there was none, or it broke off. */
static int connect_once(struct tail *tail, struct buf *error)
{
    buf_clear(&tail->refusal);
    sse_parser_reset(&tail->parser);
    tail->head = (struct call_head){.retry_after_s = 0};
    tail->headers[tail->header_count] = NULL;
    if (tail->parser.last_id.size) {
        buf_clear(&tail->last_id_line);
        buf_add_text(&tail->last_id_line, "Last-Event-ID: ");
        buf_add_bytes(&tail->last_id_line, buf_bytes(&tail->parser.last_id));
        tail->headers[tail->header_count] = buf_text(&tail->last_id_line);
        tail->headers[tail->header_count + 1] = NULL;
    }
    return call_make(&tail->call, take, tail, error);
}

/* ---- and what comes after it ---- */

/* What there is to read of a refusal, on the same line. */
static void say_refused(const struct tail *tail, int status, const char *what)
{
    struct buf said = BUF_EMPTY;
    size_t size = tail->refusal.size;
    while (size && strchr("\r\n ", tail->refusal.data[size - 1])) size--;
    add_rest(&said, bytes_run(tail->refusal.data, size));
    say("%d: %s%s%s", status, what, said.size ? ": " : "", said.size ? buf_text(&said) : "");
    buf_destroy(&said);
}

/* May come right later: too many, too busy, a proxy whose server is away. */
static bool is_for_now(int status)
{
    return status == 0 || status == 429 || status >= 500;
}

/* What an answer that is no stream ends with; -1: it is to be asked for again. */
static int judge_refusal(const struct tail *tail, int status, struct buf *error)
{
    const char *type = tail->head.content_type;
    if (!status && !tail->came) {
        say("%s", buf_text(error));
        return EXIT_WRONG;
    }
    if (status == 204) {
        say("204: the stream is over, and is not to be asked for again");
        return EXIT_GOOD;
    }
    if (is_for_now(status)) return -1;
    if (status == 200)
        say("200: it is no stream, but %s", *type ? type : "of no type");
    else
        say_refused(tail, status,
                    status == 401   ? "who you are is not known"
                    : status == 403 ? "you may not have it"
                                    : "refused");
    return EXIT_FAILED;
}

static int judge(const struct tail *tail, int status, struct buf *error)
{
    if (!is_stream(tail)) return judge_refusal(tail, status, error);
    if (!tail->too_large && !ferror(stdout)) return -1;
    if (tail->too_large)
        say("an event of more than %d MiB: not followed any more", EVENT_BYTES_MAX >> 20);
    else
        say("the output takes no more");
    return EXIT_FAILED;
}

/* As often as the server likes; what fails again and again, less and less often. */
static uint64_t wait_for(const struct tail *tail)
{
    const uint64_t asked = (uint64_t)tail->head.retry_after_s * 1000;
    const uint64_t most = tail->retry_ms > WAIT_MAX_MS ? tail->retry_ms : WAIT_MAX_MS;
    uint64_t wait_ms = tail->retry_ms > WAIT_MIN_MS ? tail->retry_ms : WAIT_MIN_MS;
    for (unsigned i = 1; i < tail->failed && wait_ms < most; i++) wait_ms *= 2;
    if (wait_ms > most) wait_ms = most;
    return asked > wait_ms ? asked : wait_ms;
}

static void come_back(struct tail *tail, int status, struct buf *error)
{
    const bool had = is_stream(tail);
    tail->came = tail->came || had;
    tail->failed = had ? 0 : tail->failed + 1;
    const uint64_t wait_ms = wait_for(tail);
    char after[40];
    snprintf(after, sizeof(after), "again in %.15g s", (double)wait_ms / 1000);
    if (status && !had)
        say_refused(tail, status, after);
    else
        say("%s; %s", had ? "the stream has ended" : buf_text(error), after);
    const struct timespec time = {(time_t)(wait_ms / 1000), (long)(wait_ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static int follow(struct tail *tail)
{
    int code = -1;
    while (code < 0) {
        struct buf error = BUF_EMPTY;
        const int status = connect_once(tail, &error);
        code = judge(tail, status, &error);
        if (code < 0) come_back(tail, status, &error);
        buf_destroy(&error);
    }
    return code;
}

/* ---- the words ---- */

static bool is_header(const char *line)
{
    const char *colon = strchr(line, ':');
    return colon && colon > line && !text_breaks_line(bytes_of(line));
}

static bool add_headers(struct tail *tail, const struct arguments *arguments)
{
    const char *line;
    tail->headers[0] = "Accept: text/event-stream";
    tail->headers[1] = "Cache-Control: no-cache";
    tail->header_count = 2;
    for (size_t i = 0; (line = arguments_get_at(arguments, "-H", i)); i++) {
        if (!is_header(line)) {
            say("-H takes a header such as 'Cookie: a=b', not '%s'", line);
            return false;
        }
        if (i == HEADERS_MAX) {
            say("-H: %d at most", HEADERS_MAX);
            return false;
        }
        tail->headers[tail->header_count++] = line;
    }
    return true;
}

/* A path is one of the config's first listener; *address is the caller's. */
static bool find_place(struct tail *tail, const struct arguments *arguments, char **address)
{
    const char *word = arguments->word_count ? arguments->words[0] : "";
    if (strncmp(word, "http://", 7) == 0 || strncmp(word, "https://", 8) == 0) {
        tail->call.url = word;
        return true;
    }
    if (word[0] != '/') {
        say("it needs the stream's URL, or its PATH on the config's first listener, as in: sluice tail /events");
        return false;
    }
    *address = ask_public_address(arguments);
    tail->call.address = *address;
    tail->call.target = word;
    return *address;
}

int command_tail(const struct arguments *arguments)
{
    const char *id = arguments_get(arguments, "--last-event-id");
    char *address = NULL;
    struct tail tail = {.retry_ms = RETRY_MS, .json = arguments_get(arguments, "--json")};
    tail.call = (struct call){.method = "GET", .headers = tail.headers, .head = &tail.head};
    if (id && text_breaks_line(bytes_of(id))) {
        say("--last-event-id: an id is one line");
        return EXIT_WRONG;
    }
    if (!add_headers(&tail, arguments) || !find_place(&tail, arguments, &address)) return EXIT_WRONG;
    sse_parser_create(&tail.parser, EVENT_BYTES_MAX, &parser_events, &tail);
    if (id) buf_add_text(&tail.parser.last_id, id);
    const int code = follow(&tail);
    sse_parser_destroy(&tail.parser);
    buf_destroy(&tail.last_id_line);
    buf_destroy(&tail.line);
    buf_destroy(&tail.refusal);
    xfree(address);
    return code;
}
