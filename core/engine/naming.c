#include "engine/naming.h"

#include "base/alloc.h"
#include "engine/asked.h"
#include "engine/changes.h"
#include "engine/seat.h"

static void grant_asked(struct naming *naming);

void naming_cancel(struct naming *naming)
{
    errand_cancel(&naming->_errand);
}

void naming_destroy(struct naming *naming)
{
    naming_cancel(naming);
    for (size_t i = 0; i < naming->count; i++) xfree((char *)naming->names[i].data);
    xfree(naming->names);
    pattern_match_destroy(&naming->_match);
    *naming = (struct naming){.count = 0};
}

bool naming_has(const struct naming *naming, struct bytes name)
{
    for (size_t i = 0; i < naming->count; i++)
        if (bytes_equal(naming->names[i], name)) return true;
    return false;
}

static bool is_full(const struct naming *naming)
{
    return naming->count == naming->_seat->stream->topics_max;
}

static void add(struct naming *naming, struct bytes name)
{
    naming->names = xrealloc(naming->names, (naming->count + 1) * sizeof(*naming->names));
    naming->names[naming->count++] = bytes_run(xmemdup(name.data, name.size), name.size);
}

static void drop_last(struct naming *naming)
{
    xfree((char *)naming->names[--naming->count].data);
}

/* The naming may be gone afterwards: see errand_start. */
static void run_hook(struct naming *naming, struct hook_call *call, hook_done_f *done)
{
    call->request = naming->_request;
    call->seat = naming->_seat;
    errand_start(&naming->_errand, naming->_seat->generation, call, done, naming);
}

static void end(struct naming *naming, enum naming_end how)
{
    naming->_done(naming->_owner, how);
}

/* ---- topics ---- */

static void complain(const struct naming *naming)
{
    const struct plan_stream *stream = naming->_seat->stream;
    LOG(app_ports(naming->_seat->app)->log, LOG_ERROR, "a stream's rule gave too many topics",
        F_BYTES("stream", atom_bytes(stream->at.name)), F_NUMBER("topics_max", stream->topics_max));
}

static void on_topics(void *owner, const struct hook_result *result)
{
    struct naming *naming = owner;
    errand_over(&naming->_errand);
    if (result->outcome == OUTCOME_UNKNOWN) {
        end(naming, NAMING_UNKNOWN);
        return;
    }
    for (size_t i = 0; result->outcome == OUTCOME_YES && i < result->name_count; i++) {
        if (is_full(naming)) {
            complain(naming);
            end(naming, NAMING_UNKNOWN);
            return;
        }
        if (!naming_has(naming, result->names[i])) add(naming, result->names[i]);
    }
    grant_asked(naming);
}

/* ---- subscribe ---- */

/* Takes the answer about the name that was added last. False: that ends it. */
static bool take_answer(struct naming *naming)
{
    if (naming->_granted == OUTCOME_YES) return true;
    if (naming->_granted == OUTCOME_NO && !naming->_strict) {
        drop_last(naming);
        return true;
    }
    end(naming, naming->_granted == OUTCOME_NO ? NAMING_FORBIDDEN : NAMING_UNKNOWN);
    return false;
}

static void on_subscribe(void *owner, const struct hook_result *result)
{
    struct naming *naming = owner;
    errand_over(&naming->_errand);
    naming->_granted = result->outcome;
    if (naming->_granting) return;
    if (take_answer(naming)) grant_asked(naming);
}

/* The next `topic=` that it does not have yet, or that was granted at run time. */
static bool next_asked(struct naming *naming, struct buf *name)
{
    struct bytes granted;
    while (asked_topic(naming->_seat->stream, &naming->_asked, name)) {
        if (!naming_has(naming, buf_bytes(name))) return true;
        buf_clear(name);
    }
    while (changes_granted(naming->_seat, &naming->_granted_at, &granted)) {
        if (naming_has(naming, granted)) continue;
        buf_add_bytes(name, granted);
        return true;
    }
    return false;
}

/* Adds the name and asks the topic's `subscribe` whether the client may have it; without one: no.
 * False: it waits for the answer. */
static bool ask_subscribe(struct naming *naming, struct bytes name)
{
    pattern_match_destroy(&naming->_match);
    const struct plan_topic *topic =
        plan_topic_of(generation_plan(naming->_seat->generation), name, &naming->_match);
    const bool may_ask = topic && topic->subscribe && !is_full(naming);
    naming->_granted = OUTCOME_NO;
    add(naming, name);
    if (!may_ask) return true;
    struct hook_call call = {.kind = HOOK_SUBSCRIBE,
                             .hook = topic->subscribe,
                             .name = naming->names[naming->count - 1],
                             .pattern = topic->pattern,
                             .params = &naming->_match};
    naming->_granting = true;
    run_hook(naming, &call, on_subscribe);
    naming->_granting = false;
    return !errand_waits(&naming->_errand);
}

/* A loop, so that a client with many topics cannot pile up frames where rules answer at once. */
static void grant_asked(struct naming *naming)
{
    struct buf name = BUF_EMPTY;
    bool goes_on = true;
    while (goes_on && next_asked(naming, &name)) {
        goes_on = ask_subscribe(naming, buf_bytes(&name)) && take_answer(naming);
        buf_clear(&name);
    }
    buf_destroy(&name);
    if (goes_on) end(naming, NAMING_DONE);
}

/* ---- the face ---- */

void naming_start(struct naming *naming, struct seat *seat, const struct http_request *request,
                  bool strict, naming_done_f *done, void *owner)
{
    *naming = (struct naming){._seat = seat,
                              ._request = request,
                              ._asked = request->query,
                              ._strict = strict,
                              ._done = done,
                              ._owner = owner};
    if (!seat->stream->topics) {
        grant_asked(naming);
        return;
    }
    struct hook_call call = {.kind = HOOK_TOPICS, .hook = seat->stream->topics};
    run_hook(naming, &call, on_topics);
}
