/* A request becomes events. What a field may be is in one table, however it was
 * written; each byte of the body is copied at most once, into one block that is
 * allocated before, so that fields stay where they are. */
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/publication.h"

enum field { TYPE, DATA, ID, TAG, SESSION_TAG, USER, KEY, TOPIC, FIELDS };

enum { TOPICS_MAX = 64, NAME_SIZE = 24 };

static const char *const names[FIELDS + 1] = {"type", "data", "id",    "tag", "session_tag",
                                              "user", "key",  "topic", NULL};
static const size_t sizes_max[FIELDS] = {[TYPE] = 256, [DATA] = SIZE_MAX, [ID] = 256,
                                         [TAG] = 64,   [SESSION_TAG] = 64, [USER] = 1024,
                                         [KEY] = 1024, [TOPIC] = 1024};

struct reading {
    struct publication *publication;
    struct publication_fault *fault;
    struct bytes tag;  /* of the request */
    struct event *event; /* at hand, and which of its fields were given */
    unsigned given;
    struct buf name;
};

/* ---- what is wrong ---- */

static bool refuse(struct reading *reading, int status, const char *code, const char *sentence)
{
    reading->fault->status = status;
    reading->fault->code = code;
    snprintf(reading->fault->sentence, sizeof(reading->fault->sentence), "%s", sentence);
    return false;
}

static bool wrong(struct reading *reading, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "events[3].type: expected a text, got a number" */
static bool wrong(struct reading *reading, const char *field, const char *format, ...)
{
    struct buf sentence = BUF_EMPTY;
    va_list arguments;
    if (reading->publication->list)
        buf_printf(&sentence, "events[%zu]",
                   (size_t)(reading->event - reading->publication->events));
    else
        buf_add_text(&sentence, "event");
    buf_printf(&sentence, "%s%s: ", field ? "." : "", field ? field : "");
    va_start(arguments, format);
    buf_vprintf(&sentence, format, arguments);
    va_end(arguments);
    refuse(reading, 400, "bad_event", buf_text(&sentence));
    buf_destroy(&sentence);
    return false;
}

static const char *kind_name(enum json_kind kind)
{
    switch (kind) {
    case JSON_OBJECT:
        return "an object";
    case JSON_LIST:
        return "a list";
    case JSON_TEXT:
        return "a text";
    case JSON_NUMBER:
        return "a number";
    case JSON_BOOLEAN:
        return "true or false";
    case JSON_NULL:
        break;
    }
    return "null";
}

static int shown(struct bytes text)
{
    return text.size < 40 ? (int)text.size : 40;
}

static bool unknown_field(struct reading *reading, struct bytes name)
{
    char word[NAME_SIZE];
    snprintf(word, sizeof(word), "%.*s", (int)(name.size < sizeof(word) ? name.size : 0), name.data);
    const char *nearest = text_nearest(word, names);
    return wrong(reading, NULL, "unknown field '%.*s'%s%s%s", shown(name), name.data,
                 nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* ---- fields ---- */

static enum field field_named(struct bytes name)
{
    enum field field = TYPE;
    while (field < FIELDS && !bytes_is(name, names[field])) field++;
    return field;
}

static bool give_topic(struct reading *reading, struct bytes name)
{
    struct event *event = reading->event;
    if (event->topic_count == TOPICS_MAX)
        return wrong(reading, names[TOPIC], "more than %d of them", TOPICS_MAX);
    event->topics = xrealloc(event->topics, (event->topic_count + 1) * sizeof(*event->topics));
    event->topics[event->topic_count++] = name;
    return true;
}

static struct bytes *place_of(struct event *event, enum field field)
{
    switch (field) {
    case TYPE:
        return &event->type;
    case DATA:
        return &event->data;
    case ID:
        return &event->id;
    case USER:
        return &event->user;
    case KEY:
        return &event->key;
    default:
        return &event->tag;
    }
}

/* The value lives in the publication's bytes. */
static bool give(struct reading *reading, enum field field, struct bytes value)
{
    const bool tag = field == TAG || field == SESSION_TAG;
    const unsigned bits = tag ? 1u << TAG | 1u << SESSION_TAG : 1u << field;
    const char *name = names[field];
    if (!text_is_utf8(value)) return wrong(reading, name, "it is no well-formed UTF-8");
    if (field != DATA) {
        if (!value.size) return wrong(reading, name, "it is empty");
        if (value.size > sizes_max[field])
            return wrong(reading, name, "%zu bytes; %zu at most", value.size, sizes_max[field]);
        if (text_breaks_line(value)) return wrong(reading, name, "it holds CR, LF or NUL");
    }
    if (tag && !text_is_tag(value))
        return wrong(reading, name, "a session tag is 16 to 64 characters of [A-Za-z0-9_-]");
    if (field == TOPIC) return give_topic(reading, value);
    if (reading->given & bits) return wrong(reading, name, "it is given twice");
    reading->given |= bits;
    *place_of(reading->event, field) = value;
    return true;
}

static struct bytes keep(struct reading *reading, struct bytes bytes)
{
    struct buf *kept = &reading->publication->_bytes;
    const size_t at = kept->size;
    buf_add_bytes(kept, bytes);
    return bytes_run(kept->data + at, kept->size - at);
}

/* After the last field. */
static bool complete(struct reading *reading)
{
    struct event *event = reading->event;
    if (!event->type.data) return wrong(reading, names[TYPE], "missing; expected a text");
    if (!event->tag.data) event->tag = reading->tag;
    reading->given = 0;
    return true;
}

/* ---- JSON ---- */

static struct bytes decode(struct reading *reading, const struct json_value *text)
{
    struct buf *kept = &reading->publication->_bytes;
    const size_t at = kept->size;
    json_text(kept, text);
    return bytes_run(kept->data + at, kept->size - at);
}

static bool read_topics(struct reading *reading, const struct json_value *list)
{
    struct bytes rest = json_inside(list);
    struct json_value item;
    while (json_next_element(&rest, &item)) {
        if (item.kind != JSON_TEXT)
            return wrong(reading, names[TOPIC], "expected texts, got %s", kind_name(item.kind));
        if (!give(reading, TOPIC, decode(reading, &item))) return false;
    }
    return true;
}

static bool read_member(struct reading *reading, const struct json_value *name,
                        const struct json_value *value)
{
    buf_clear(&reading->name);
    json_text(&reading->name, name);
    const enum field field = field_named(buf_bytes(&reading->name));
    if (field == FIELDS) return unknown_field(reading, buf_bytes(&reading->name));
    if (value->kind == JSON_NULL) return true;
    if (value->kind == JSON_TEXT) return give(reading, field, decode(reading, value));
    if (field == DATA) return give(reading, field, keep(reading, value->text));
    if (field == TOPIC && value->kind == JSON_LIST) return read_topics(reading, value);
    return wrong(reading, names[field], "expected a text, got %s", kind_name(value->kind));
}

static bool read_object(struct reading *reading, const struct json_value *object)
{
    if (object->kind != JSON_OBJECT)
        return wrong(reading, NULL, "expected an object, got %s", kind_name(object->kind));
    struct bytes rest = json_inside(object);
    struct json_value name, value;
    while (json_next_member(&rest, &name, &value))
        if (!read_member(reading, &name, &value)) return false;
    return complete(reading);
}

static size_t count_of(const struct json_value *value)
{
    struct bytes rest = json_inside(value);
    struct json_value item;
    size_t count = 0;
    while (json_next_element(&rest, &item)) count++;
    return count;
}

static void make_events(struct publication *publication, struct atom *source, size_t count)
{
    publication->count = count;
    publication->events = xcalloc(count, sizeof(*publication->events));
    publication->handlers = xcalloc(count, sizeof(*publication->handlers));
    publication->causes = xcalloc(count, sizeof(*publication->causes));
    for (size_t i = 0; i < count; i++) publication->events[i].source = source;
    if (count) atom_ref(source); /* one for all of them */
}

static bool read_list(struct reading *reading, const struct json_value *list, struct atom *source,
                      uint32_t batch_max)
{
    const size_t count = count_of(list);
    char sentence[80];
    snprintf(sentence, sizeof(sentence), "%zu events in one request; %u at most", count, batch_max);
    if (!count) return refuse(reading, 400, "bad_event", "events: the list is empty");
    if (count > batch_max) return refuse(reading, 413, "too_many_events", sentence);
    struct bytes rest = json_inside(list);
    struct json_value item;
    reading->publication->list = true;
    make_events(reading->publication, source, count);
    for (size_t i = 0; json_next_element(&rest, &item); i++) {
        reading->event = &reading->publication->events[i];
        if (!read_object(reading, &item)) return false;
    }
    return true;
}

static bool read_json(struct reading *reading, const struct http_request *request,
                      struct atom *source, uint32_t batch_max)
{
    struct json_value whole;
    if (!text_is_utf8(request->body) || !json_read(request->body, &whole))
        return refuse(reading, 400, "bad_json", "the body is no well-formed JSON");
    if (whole.kind == JSON_LIST) return read_list(reading, &whole, source, batch_max);
    make_events(reading->publication, source, 1);
    reading->event = reading->publication->events;
    return read_object(reading, &whole);
}

/* ---- forms, and what is neither ---- */

/* Of a query that goes with a body, what is no field of an event is somebody else's. */
static bool read_pair(struct reading *reading, struct bytes pair, bool query)
{
    const char *equals = memchr(pair.data, '=', pair.size);
    const size_t size = equals ? (size_t)(equals - pair.data) : pair.size;
    struct buf *kept = &reading->publication->_bytes;
    const size_t at = kept->size;
    if (!pair.size) return true;
    buf_clear(&reading->name);
    const bool legible =
        text_percent_decode(&reading->name, bytes_run(pair.data, size), true);
    const enum field field = legible ? field_named(buf_bytes(&reading->name)) : FIELDS;
    if (query && (field == FIELDS || field == DATA || field == TAG || field == SESSION_TAG))
        return true;
    if (field == FIELDS) return unknown_field(reading, bytes_run(pair.data, size));
    const char *value = pair.data + size + (equals ? 1 : 0);
    if (!text_percent_decode(kept, bytes_run(value, (size_t)(pair.data + pair.size - value)), true))
        return wrong(reading, names[field], "a broken percent-escape, or NUL");
    return give(reading, field, bytes_run(kept->data + at, kept->size - at));
}

static bool read_pairs(struct reading *reading, struct bytes text, bool query)
{
    while (text.size) {
        const char *end = memchr(text.data, '&', text.size);
        const size_t size = end ? (size_t)(end - text.data) : text.size;
        if (!read_pair(reading, bytes_run(text.data, size), query)) return false;
        const size_t used = end ? size + 1 : size;
        text = bytes_run(text.data + used, text.size - used);
    }
    return true;
}

static bool read_raw(struct reading *reading, const struct http_request *request)
{
    const struct bytes type = http_header_get(request, "x-event-type");
    if (!read_pairs(reading, request->query, true)) return false;
    if (!(reading->given & 1u << TYPE) && type.size &&
        !give(reading, TYPE, keep(reading, type)))
        return false;
    return give(reading, DATA, keep(reading, request->body));
}

/* ---- the request ---- */

/* X-Session-Tag, else ?tag=: of all its events that say no other. */
static bool read_tag(struct reading *reading, const struct http_request *request)
{
    struct bytes tag = http_header_get(request, "x-session-tag");
    buf_clear(&reading->name);
    if (!tag.data && text_query_get(request->query, "tag", &reading->name))
        tag = buf_bytes(&reading->name);
    if (!tag.size) return true;
    if (!text_is_tag(tag))
        return refuse(reading, 400, "bad_tag",
                      "A session tag is 16 to 64 characters of [A-Za-z0-9_-].");
    reading->tag = keep(reading, tag);
    return true;
}

static bool is_type(const struct http_request *request, const char *type)
{
    struct bytes given = http_header_get(request, "content-type");
    const char *end = given.size ? memchr(given.data, ';', given.size) : NULL;
    if (end) given.size = (size_t)(end - given.data);
    while (given.size && given.data[given.size - 1] == ' ') given.size--;
    return text_equal_nocase(given, bytes_of(type));
}

static bool read_request(struct reading *reading, const struct http_request *request,
                         struct atom *source, uint32_t batch_max)
{
    if (!read_tag(reading, request)) return false;
    if (is_type(request, "application/json"))
        return read_json(reading, request, source, batch_max);
    make_events(reading->publication, source, 1);
    reading->event = reading->publication->events;
    const bool form = is_type(request, "application/x-www-form-urlencoded");
    const bool good = form ? read_pairs(reading, request->body, false)
                           : read_raw(reading, request);
    return good && complete(reading);
}

struct publication *publication_read(const struct http_request *request, struct atom *source,
                                     uint32_t batch_max, struct publication_fault *fault)
{
    struct publication *publication = xcalloc(1, sizeof(*publication));
    struct reading reading = {.publication = publication, .fault = fault};
    const struct bytes type = http_header_get(request, "x-event-type");
    const struct bytes tag = http_header_get(request, "x-session-tag");
    buf_reserve(&publication->_bytes,
                request->body.size + request->query.size * 2 + type.size + tag.size + 1);
    const char *where = publication->_bytes.data;
    const bool good = read_request(&reading, request, source, batch_max);
    CHECK(publication->_bytes.data == where);
    buf_destroy(&reading.name);
    if (good) return publication;
    publication_free(publication);
    return NULL;
}
