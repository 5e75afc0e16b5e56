/* What is shadowed holds a copy of the event from before the live handler runs until both are
 * through. The shadow's events of one key are handled in order, one at a time, as the
 * live ones are; where it is slower it falls behind, and what is too far behind is
 * skipped and counted. */
#include "engine/shadow.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/difference.h"
#include "engine/errand.h"
#include "engine/generation.h"
#include "engine/publication.h"

enum {
    EVENTS_MAX = 1000,
    EVENT_BYTES_MAX = 16 << 20,
    EVENTS_PER_ROUND = 64,
    DIFFERENCES_KEPT = 50
};

struct shadowed {
    struct list node;
    struct shadow *shadow;
    const struct event *live; /* who it is for the live call, the first of `count`; NULL once that
                                 has ended */
    size_t count;
    struct event event;       /* the shadow's, into `bytes`, or the first of its publication */
    struct buf bytes;
    struct publication *publication; /* what it is one of; or NULL */
    size_t size;              /* in bytes */
    bool life, due, begun, ended;
    enum outcome live_outcome, outcome;
    struct emitted live_emitted, emitted;
    struct errand errand;
};

struct shadow {
    struct app *app;
    struct generation *generation;
    struct store *store;
    struct shadow_counters counters;
    struct list events; /* the oldest first */
    uint32_t count;
    size_t bytes;    /* of them */
    struct job work; /* begins those that are due */
    struct difference differences[DIFFERENCES_KEPT];
    uint64_t noted;
};

/* ---- the ports ---- */

static void write_log(struct log *log, enum log_level level, const char *message,
                      const struct log_field *fields, size_t count)
{
    const struct shadow_ports *ports = CONTAINER(log, struct shadow_ports, _log);
    char line[160] = "shadow: ";
    const size_t size = strlen(line);
    const size_t more = strnlen(message, sizeof(line) - size - 1);
    memcpy(line + size, message, more);
    line[size + more] = '\0';
    if (level == LOG_ERROR) level = LOG_WARN; /* nobody has lost a thing by it */
    if (level <= ports->_real_log->level)
        ports->_real_log->write(ports->_real_log, level, line, fields, count);
}

void shadow_ports_create(struct shadow_ports *shadow, struct engine_ports *live)
{
    mirror_create(&shadow->mirror, live->fetch, live->clock, live->later);
    live->fetch = &shadow->mirror.live;
    shadow->_real_log = live->log;
    shadow->_log = (struct log){.level = LOG_DEBUG, .write = write_log};
    shadow->ports = *live;
    shadow->ports.fetch = &shadow->mirror.shadow;
    shadow->ports.log = &shadow->_log;
    shadow->ports.databases = NULL; /* what a command does would be done */
}

void shadow_ports_destroy(struct shadow_ports *shadow)
{
    mirror_destroy(&shadow->mirror);
}

/* ---- life ---- */

static void on_work(struct job *job);

struct shadow *shadow_new(struct app *app, struct generation *generation)
{
    CHECK(!app_shadow(app));
    struct shadow *shadow = xcalloc(1, sizeof(*shadow));
    shadow->app = app;
    shadow->generation = generation;
    shadow->store = store_new_over(app_store(app));
    list_create(&shadow->events);
    job_create(&shadow->work, on_work);
    app_set_shadow(app, shadow);
    return shadow;
}

static void shadowed_free(struct shadowed *shadowed)
{
    list_remove(&shadowed->node);
    shadowed->shadow->count--;
    shadowed->shadow->bytes -= shadowed->size;
    errand_cancel(&shadowed->errand);
    buf_destroy(&shadowed->bytes);
    if (shadowed->publication) publication_free(shadowed->publication);
    emitted_destroy(&shadowed->live_emitted);
    emitted_destroy(&shadowed->emitted);
    atom_unref(shadowed->event.source);
    xfree(shadowed);
}

void shadow_free(struct shadow *shadow)
{
    app_set_shadow(shadow->app, NULL);
    later_cancel(&shadow->work);
    LIST_EACH(node, &shadow->events) shadowed_free(CONTAINER(node, struct shadowed, node));
    for (size_t i = 0; i < DIFFERENCES_KEPT; i++) difference_destroy(&shadow->differences[i]);
    store_free(shadow->store);
    generation_unref(shadow->generation);
    xfree(shadow);
}

/* ---- comparing ---- */

static void compare(struct shadow *shadow, struct shadowed *shadowed)
{
    shadow->counters.events++;
    shadow->counters.failed += shadowed->outcome == OUTCOME_UNKNOWN;
    if (shadowed->live_outcome == OUTCOME_UNKNOWN) emitted_add_failure(&shadowed->live_emitted);
    if (shadowed->outcome == OUTCOME_UNKNOWN) emitted_add_failure(&shadowed->emitted);
    if (emitted_equal(&shadowed->live_emitted, &shadowed->emitted)) return;
    shadow->counters.different++;
    struct difference *oldest = &shadow->differences[shadow->noted++ % DIFFERENCES_KEPT];
    difference_destroy(oldest);
    difference_create(oldest, &shadowed->event, &shadowed->live_emitted, &shadowed->emitted);
}

static void finish(struct shadowed *shadowed)
{
    if (shadowed->live || !shadowed->ended) return;
    compare(shadowed->shadow, shadowed);
    shadowed_free(shadowed);
}

/* ---- the shadow's calls ---- */

static bool same_key(const struct shadowed *a, const struct shadowed *b)
{
    return a->event.source == b->event.source && bytes_equal(a->event.key, b->event.key);
}

/* The first of this key that has not ended. */
static struct shadowed *first_of(const struct shadowed *like)
{
    LIST_EACH(node, &like->shadow->events) {
        struct shadowed *shadowed = CONTAINER(node, struct shadowed, node);
        if (!shadowed->ended && same_key(shadowed, like)) return shadowed;
    }
    return NULL;
}

/* The next is begun from the loop: many that wait for one must not hold up the live rules. */
static void end(struct shadowed *shadowed, enum outcome outcome)
{
    struct shadow *shadow = shadowed->shadow;
    shadowed->ended = true;
    shadowed->outcome = outcome;
    struct shadowed *next = first_of(shadowed);
    finish(shadowed);
    if (!next || next->begun) return;
    next->due = true;
    later_post(app_ports(shadow->app)->later, LATER_SOON, &shadow->work);
}

static void on_handled(void *owner, const struct hook_result *result)
{
    struct shadowed *shadowed = owner;
    errand_over(&shadowed->errand);
    end(shadowed, result->outcome);
}

static struct hook_call call_of(struct shadowed *shadowed)
{
    const struct plan *plan = generation_plan(shadowed->shadow->generation);
    const struct plan_upstream *upstream = plan_upstream_named(plan, shadowed->event.source);
    const struct plan_source *source = plan_source_named(plan, shadowed->event.source);
    const hook run = shadowed->event.channel ? source ? plan_message_handler_of(source) : 0
                     : !upstream             ? 0
                     : shadowed->life
                         ? plan_life_handler_of(upstream, shadowed->event.type)
                         : plan_handler_of(upstream, shadowed->event.type);
    return (struct hook_call){.kind = HOOK_EVENT, .hook = run, .event = &shadowed->event};
}

/* What the live rules handle and these do not, they pass over. */
static struct hook_call publication_call_of(struct shadowed *shadowed)
{
    const struct plan *plan = generation_plan(shadowed->shadow->generation);
    const struct plan_ingest *ingest = plan_ingest_named(plan, shadowed->event.source);
    struct publication_fault fault;
    const bool known = ingest && publication_resolve(shadowed->publication, ingest, &fault);
    return (struct hook_call){.kind = HOOK_PUBLISH,
                              .hook = known ? ingest->run : 0,
                              .publication = shadowed->publication};
}

/* A shadow without a handler emits nothing. */
static void begin(struct shadowed *shadowed)
{
    const struct hook_call call =
        shadowed->publication ? publication_call_of(shadowed) : call_of(shadowed);
    shadowed->begun = true;
    if (call.hook)
        errand_start(&shadowed->errand, shadowed->shadow->generation, &call, on_handled, shadowed);
    else
        end(shadowed, OUTCOME_YES);
}

static void on_work(struct job *job)
{
    struct shadow *shadow = CONTAINER(job, struct shadow, work);
    int begun = 0;
    LIST_EACH(node, &shadow->events) {
        struct shadowed *shadowed = CONTAINER(node, struct shadowed, node);
        if (!shadowed->due || shadowed->begun) continue;
        begin(shadowed); /* it may be gone now, and the next of its key due */
        if (++begun < EVENTS_PER_ROUND) continue;
        later_post(app_ports(shadow->app)->later, LATER_SOON, job);
        return;
    }
}

/* ---- what the live rules do ---- */

static struct shadowed *shadowed_of(const struct shadow *shadow, const struct event *event)
{
    if (!event) return NULL;
    LIST_EACH(node, &shadow->events) {
        struct shadowed *shadowed = CONTAINER(node, struct shadowed, node);
        if (shadowed->live == event) return shadowed;
    }
    return NULL;
}

static void copy(struct shadowed *shadowed, const struct event *event)
{
    const struct bytes fields[] = {event->type, event->data, event->id, event->tag, event->key};
    struct bytes *const to[] = {&shadowed->event.type, &shadowed->event.data, &shadowed->event.id,
                                &shadowed->event.tag, &shadowed->event.key};
    for (size_t i = 0; i < 5; i++) buf_add_bytes(&shadowed->bytes, fields[i]);
    const char *at = buf_text(&shadowed->bytes);
    shadowed->event.channel = event->channel;
    shadowed->event.source = atom_ref(event->source); /* its plan may go before us */
    shadowed->size = shadowed->bytes.size;
    for (size_t i = 0; i < 5; i++) {
        *to[i] = bytes_run(at, fields[i].size);
        at += fields[i].size;
    }
}

/* NULL: it is too far behind. */
static struct shadowed *shadowed_new(struct shadow *shadow, const struct event *live, size_t count)
{
    if (shadow->count == EVENTS_MAX || shadow->bytes > EVENT_BYTES_MAX) {
        shadow->counters.skipped++;
        return NULL;
    }
    struct shadowed *shadowed = xcalloc(1, sizeof(*shadowed));
    shadowed->shadow = shadow;
    shadowed->live = live;
    shadowed->count = count;
    list_create(&shadowed->node);
    return shadowed;
}

static void take_on(struct shadowed *shadowed)
{
    struct shadow *shadow = shadowed->shadow;
    list_append(&shadow->events, &shadowed->node);
    shadow->count++;
    shadow->bytes += shadowed->size;
    if (first_of(shadowed) == shadowed) begin(shadowed);
}

void shadow_event(struct shadow *shadow, const struct event *event, bool life)
{
    struct shadowed *shadowed = shadowed_new(shadow, event, 1);
    if (!shadowed) return;
    shadowed->life = life;
    copy(shadowed, event);
    take_on(shadowed);
}

void shadow_publication(struct shadow *shadow, const struct publication *publication)
{
    struct shadowed *shadowed = shadowed_new(shadow, publication->events, publication->count);
    if (!shadowed) return;
    shadowed->publication = publication_copy(publication);
    shadowed->event = shadowed->publication->events[0];
    atom_ref(shadowed->event.source);
    shadowed->size = publication_size(publication);
    take_on(shadowed);
}

void shadow_live_ended(struct shadow *shadow, const struct event *event, enum outcome outcome)
{
    struct shadowed *shadowed = shadowed_of(shadow, event);
    if (!shadowed) return;
    shadowed->live = NULL;
    shadowed->live_outcome = outcome;
    finish(shadowed);
}

static bool is_one_of(const struct event *event, const struct event *first, size_t count)
{
    for (size_t i = 0; first && i < count; i++)
        if (&first[i] == event) return true;
    return false;
}

static const struct event *own_events(const struct shadowed *shadowed)
{
    return shadowed->publication ? shadowed->publication->events : &shadowed->event;
}

void shadow_emitted(struct shadow *shadow, const struct event *event, const struct app_emit *emits,
                    size_t count)
{
    if (!event) return; /* a route's, a timer's: nothing that both were called for */
    LIST_EACH(node, &shadow->events) {
        struct shadowed *shadowed = CONTAINER(node, struct shadowed, node);
        if (is_one_of(event, shadowed->live, shadowed->count))
            emitted_add(&shadowed->live_emitted, emits, count);
        if (is_one_of(event, own_events(shadowed), shadowed->count))
            emitted_add(&shadowed->emitted, emits, count);
    }
}

/* ---- queries ---- */

const struct shadow_counters *shadow_counters(const struct shadow *shadow)
{
    return &shadow->counters;
}

struct store *shadow_store(struct shadow *shadow)
{
    return shadow->store;
}

void shadow_differences_each(const struct shadow *shadow,
                             void (*each)(void *ctx, struct bytes event, struct bytes lines),
                             void *ctx)
{
    const uint64_t first = shadow->noted > DIFFERENCES_KEPT ? shadow->noted - DIFFERENCES_KEPT : 0;
    for (uint64_t i = first; i < shadow->noted; i++) {
        const struct difference *difference = &shadow->differences[i % DIFFERENCES_KEPT];
        each(ctx, buf_bytes(&difference->event), buf_bytes(&difference->lines));
    }
}
