#include "engine/publication.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/dict.h"
#include "engine/emit.h"

void publication_free(struct publication *publication)
{
    for (size_t i = 0; i < publication->count; i++) xfree(publication->events[i].topics);
    if (publication->count) atom_unref(publication->events[0].source);
    atom_unref(publication->publisher.user);
    atom_unref(publication->publisher.data);
    buf_destroy(&publication->_bytes);
    xfree(publication->events);
    xfree(publication->handlers);
    xfree(publication->causes);
    xfree(publication);
}

size_t publication_size(const struct publication *publication)
{
    return publication->_bytes.size;
}

/* ---- the copy ---- */

static struct bytes moved(struct bytes bytes, const struct publication *from,
                          const struct publication *to)
{
    if (bytes.data) bytes.data = to->_bytes.data + (bytes.data - from->_bytes.data);
    return bytes;
}

static struct event copied(const struct event *event, const struct publication *from,
                           const struct publication *to)
{
    struct event copy = *event;
    copy.type = moved(event->type, from, to);
    copy.data = moved(event->data, from, to);
    copy.id = moved(event->id, from, to);
    copy.tag = moved(event->tag, from, to);
    copy.key = moved(event->key, from, to);
    if (event->user.data != atom_bytes(from->publisher.user).data)
        copy.user = moved(event->user, from, to);
    if (!event->topic_count) return copy;
    copy.topics = xmalloc(event->topic_count * sizeof(*copy.topics));
    for (size_t i = 0; i < event->topic_count; i++)
        copy.topics[i] = moved(event->topics[i], from, to);
    return copy;
}

struct publication *publication_copy(const struct publication *publication)
{
    const size_t count = publication->count;
    struct publication *copy = xcalloc(1, sizeof(*copy));
    buf_reserve(&copy->_bytes, publication->_bytes.size + 1);
    buf_add_bytes(&copy->_bytes, buf_bytes(&publication->_bytes));
    copy->list = publication->list;
    copy->publisher = publication->publisher;
    atom_ref(copy->publisher.user);
    atom_ref(copy->publisher.data);
    copy->count = count;
    copy->events = xcalloc(count, sizeof(*copy->events));
    for (size_t i = 0; i < count; i++)
        copy->events[i] = copied(&publication->events[i], publication, copy);
    atom_ref(copy->events[0].source); /* one for all of them */
    copy->handlers = xcalloc(count, sizeof(*copy->handlers));
    copy->causes = xcalloc(count, sizeof(*copy->causes));
    return copy;
}

/* ---- whose it is ---- */

static bool claims(const struct publication *publication, const struct event *event,
                   struct publication_fault *fault)
{
    const size_t index = (size_t)(event - publication->events);
    fault->status = 403;
    fault->code = "not_your_user";
    snprintf(fault->sentence, sizeof(fault->sentence),
             publication->list ? "events[%zu].user: only an app says whose an event is"
                               : "event.user: only an app says whose an event is",
             index);
    return false;
}

bool publication_publisher(struct publication *publication, const struct identity *publisher,
                           bool any_user, struct publication_fault *fault)
{
    const struct bytes own = atom_bytes(publisher->user);
    publication->publisher = *publisher;
    atom_ref(publisher->user);
    atom_ref(publisher->data);
    for (size_t i = 0; i < publication->count; i++) {
        struct event *event = &publication->events[i];
        if (event->user.data && !any_user && !bytes_equal(event->user, own))
            return claims(publication, event, fault);
        if (!event->user.data) event->user = any_user ? (struct bytes){NULL, 0} : own;
    }
    return true;
}

/* ---- its handlers ---- */

bool publication_resolve(struct publication *publication, const struct plan_ingest *ingest,
                         struct publication_fault *fault)
{
    for (size_t i = 0; i < publication->count; i++) {
        const struct bytes type = publication->events[i].type;
        publication->handlers[i] = plan_published_handler_of(ingest, type);
        if (publication->handlers[i] || ingest->ignores_unknown) continue;
        const int size = type.size < 80 ? (int)type.size : 80;
        fault->status = 422;
        fault->code = "unknown_type";
        if (publication->list)
            snprintf(fault->sentence, sizeof(fault->sentence),
                     "events[%zu].type: nothing handles '%.*s' here", i, size, type.data);
        else
            snprintf(fault->sentence, sizeof(fault->sentence),
                     "event.type: nothing handles '%.*s' here", size, type.data);
        return false;
    }
    return true;
}

const struct event *publication_next(struct publication *publication, hook *handler)
{
    while (publication->next < publication->count) {
        const size_t at = publication->next++;
        *handler = publication->handlers[at];
        if (*handler) return &publication->events[at];
    }
    return NULL;
}

void publication_cause(struct publication *publication, uint64_t cause)
{
    publication->causes[publication->next - 1] = cause;
}

/* ---- what came of it ---- */

void publication_emitted(struct publication *publication, struct hub *hub,
                         const struct app_emit *emits, size_t count)
{
    struct dict seen = DICT_EMPTY;
    for (size_t i = 0; i < count; i++) {
        if (!emits[i].resync) publication->triggers++;
        struct topic *topic = hub_topic_find(hub, emits[i].name);
        if (topic && (count == 1 || !dict_set(&seen, emits[i].name, topic)))
            publication->subscribers += topic_subscribers(topic);
    }
    dict_destroy(&seen);
}
