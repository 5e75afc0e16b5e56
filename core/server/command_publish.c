/* publish: posts one event to an ingest: the one of the config's rules that is meant, at the config's first
 * listener, or any by its URL. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "server/ask.h"
#include "server/commands.h"
#include "server/rules.h"
#include "server/server.h"

static int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("sluice publish: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_WRONG;
}

/* ---- what is published ---- */

/* Whole; "-" is the standard input. */
static bool read_file(const char *path, struct buf *out)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    while (file && !feof(file) && !ferror(file))
        out->size += fread(buf_reserve(out, 4096), 1, 4096, file);
    const bool good = file && !ferror(file);
    if (file && file != stdin) fclose(file);
    return good;
}

static void begin_field(struct buf *body, const char *name)
{
    buf_add_char(body, body->size ? ',' : '{');
    text_json_string(body, bytes_of(name));
    buf_add_char(body, ':');
}

/* What is JSON is sent as such, and anything else as a text. */
static bool add_data(const char *data, struct buf *body)
{
    struct buf text = BUF_EMPTY;
    struct json_value value;
    const bool file = data[0] == '@' || strcmp(data, "-") == 0;
    if (file && !read_file(data[0] == '@' ? data + 1 : data, &text)) {
        buf_destroy(&text);
        wrong("--data: %s cannot be read", data[0] == '@' ? data + 1 : data);
        return false;
    }
    if (!file) buf_add_text(&text, data);
    begin_field(body, "data");
    if (json_read(buf_bytes(&text), &value))
        buf_add_bytes(body, value.text);
    else
        text_json_string(body, buf_bytes(&text));
    buf_destroy(&text);
    return true;
}

static bool make_body(const struct arguments *arguments, struct buf *body)
{
    static const char *const fields[] = {"--type=", "--id=", "--tag=", "--user=", "--key=", "--topic="};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *value = arguments_get(arguments, fields[i]);
        char name[16];
        if (!value) continue;
        snprintf(name, sizeof(name), "%.*s", (int)strlen(fields[i]) - 3, fields[i] + 2);
        begin_field(body, name);
        text_json_string(body, bytes_of(value));
    }
    const char *data = arguments_get(arguments, "--data");
    if (data && !add_data(data, body)) return false;
    buf_add_char(body, '}');
    return true;
}

/* ---- where ---- */

struct search {
    const char *name; /* that is looked for, or NULL */
    size_t count;     /* that were found */
    struct buf path;
    struct buf names;
};

static void consider(struct search *search, const struct plan *plan)
{
    for (size_t i = 0; i < plan->ingest_count; i++) {
        const struct plan_endpoint *at = &plan->ingests[i]->at;
        buf_printf(&search->names, "%s%s (%s)", search->names.size ? ", " : "", at->name->text,
                   plan->app->text);
        if (search->name && strcmp(search->name, at->name->text) != 0) continue;
        search->count++;
        buf_clear(&search->path);
        buf_add_bytes(&search->path, pattern_text(at->path));
    }
}

/* The path of the one ingest that is meant. */
static bool find(struct search *search, struct server *server)
{
    const struct plan *plan;
    for (size_t i = 0; (plan = rules_plan(server->rules, i, NULL)); i++) consider(search, plan);
    if (search->count == 1) return true;
    if (!search->names.size)
        wrong("the rules of the config declare no app:ingest");
    else if (!search->count)
        wrong("no ingest has that name; there are: %s", buf_text(&search->names));
    else
        wrong("which ingest? --ingest NAME or --url URL; there are: %s", buf_text(&search->names));
    return false;
}

/* Fills in address and target, which live in the two bufs. */
static bool find_place(const struct arguments *arguments, struct call *call, struct buf *address,
                       struct buf *target)
{
    struct config *config = command_config(arguments);
    struct buf errors = BUF_EMPTY;
    struct search search = {.name = arguments_get(arguments, "--ingest")};
    struct server *server = config ? server_new(config, true, &errors) : NULL;
    fputs(buf_text(&errors), stderr);
    const bool found = server && find(&search, server);
    if (found) {
        buf_add_text(address, ask_public(server->config));
        buf_add_bytes(target, buf_bytes(&search.path));
    }
    if (server) server_free(server);
    call->address = buf_text(address);
    call->target = buf_text(target);
    buf_destroy(&search.path);
    buf_destroy(&search.names);
    buf_destroy(&errors);
    return found;
}

/* ---- the key ---- */

/* The first line of --key-file, or SLUICE_KEY; without either none is sent. */
static bool find_key(const struct arguments *arguments, struct call *call, struct buf *key)
{
    const char *path = arguments_get(arguments, "--key-file");
    call->key = getenv("SLUICE_KEY");
    if (!path) return true;
    if (!read_file(path, key)) {
        wrong("--key-file: %s cannot be read", path);
        return false;
    }
    struct bytes rest = buf_bytes(key);
    key->size = text_take_line(&rest).size;
    if (key->size && key->data[key->size - 1] == '\r') key->size--;
    call->key = buf_text(key);
    return true;
}

/* ctx is the last byte of the answer so far. */
static bool print(void *ctx, int status, struct bytes piece)
{
    if (piece.size) *(char *)ctx = piece.data[piece.size - 1];
    fwrite(piece.data, 1, piece.size, status < 300 ? stdout : stderr);
    return true;
}

static int post(const struct call *call)
{
    struct buf error = BUF_EMPTY;
    char last = '\n';
    const int status = call_make(call, print, &last, &error);
    if (last != '\n') fputc('\n', status < 300 ? stdout : stderr);
    if (!status) wrong("%s", buf_text(&error));
    if (status == 401 && !call->key) wrong("no key was sent: it goes into SLUICE_KEY, or a file (--key-file)");
    buf_destroy(&error);
    return status == 0 ? EXIT_WRONG : status < 300 ? EXIT_GOOD : EXIT_FAILED;
}

int command_publish(const struct arguments *arguments)
{
    struct buf body = BUF_EMPTY, key = BUF_EMPTY, address = BUF_EMPTY, target = BUF_EMPTY;
    struct call call = {.method = "POST", .url = arguments_get(arguments, "--url")};
    if (!arguments_get(arguments, "--type")) return wrong("it needs --type TYPE");
    if (call.url && arguments_get(arguments, "--ingest"))
        return wrong("--url and --ingest both say where");
    const bool good = make_body(arguments, &body) && find_key(arguments, &call, &key) &&
                      (call.url || find_place(arguments, &call, &address, &target));
    call.json = buf_bytes(&body);
    const int code = good ? post(&call) : EXIT_WRONG;
    buf_destroy(&body);
    buf_destroy(&key);
    buf_destroy(&address);
    buf_destroy(&target);
    return code;
}
