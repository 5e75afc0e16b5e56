/* An entry says how the seat has the topic or that it left it; `named` that its stream's
 * rules named it, too, so that leaving it is something to remember. */
#include "engine/changes.h"

#include "base/alloc.h"
#include "base/list.h"
#include "engine/awaiting.h"
#include "engine/naming.h"
#include "engine/review.h"
#include "engine/seat.h"
#include "hub/carried.h"

enum how { GIVEN, GRANTED, LEFT };

struct entry {
    struct atom *name; /* a reference */
    enum how how;
    bool named;
};

struct changes {
    struct entry *entries; /* oldest first */
    size_t count;
    struct list grants;
    uint32_t asking;
};

struct grant {
    struct list node;
    struct seat *seat;
    struct atom *name; /* a reference */
    enum how how;
    struct errand errand;
    struct awaiting awaiting;
    const struct generation *asked; /* whose rules; only to be compared */
    struct http_request request;    /* what is kept of the stream's */
    struct pattern_match match;
    change_done_f *done;
    void *owner;
    bool *over; /* set when it is freed while it is being asked */
    bool starting, answered;
    enum outcome outcome;
};

/* ---- entries ---- */

static struct changes *changes_of(struct seat *seat)
{
    if (seat->changes) return seat->changes;
    struct changes *changes = xcalloc(1, sizeof(*changes));
    list_create(&changes->grants);
    return seat->changes = changes;
}

static struct entry *find(const struct seat *seat, struct bytes name)
{
    const struct changes *changes = seat->changes;
    for (size_t i = 0; changes && i < changes->count; i++)
        if (bytes_equal(atom_bytes(changes->entries[i].name), name)) return &changes->entries[i];
    return NULL;
}

static void forget(struct changes *changes, size_t index)
{
    atom_unref(changes->entries[index].name);
    changes->count--;
    memmove(&changes->entries[index], &changes->entries[index + 1],
            (changes->count - index) * sizeof(*changes->entries));
}

static void forget_oldest_left(struct changes *changes, size_t most)
{
    size_t left = 0;
    for (size_t i = 0; i < changes->count; i++) left += changes->entries[i].how == LEFT;
    for (size_t i = 0; left > most && i < changes->count; i++) {
        if (changes->entries[i].how != LEFT) continue;
        forget(changes, i);
        return;
    }
}

/* What a review has found out so far, it found out before. */
static void review_again(struct seat *seat)
{
    if (seat->review || seat->unreviewed) review_due(seat);
}

static void note(struct seat *seat, struct bytes name, enum how how, bool named)
{
    struct changes *changes = changes_of(seat);
    struct entry *entry = find(seat, name);
    if (!entry) {
        changes->entries =
            xrealloc(changes->entries, (changes->count + 1) * sizeof(*changes->entries));
        entry = &changes->entries[changes->count++];
        *entry = (struct entry){.name = atom_get(name), .named = named};
    }
    entry->how = how;
    forget_oldest_left(changes, seat->stream->topics_max);
    review_again(seat);
}

/* ---- give and take ---- */

static struct subscriber *live(struct seat *seat)
{
    struct subscriber *subscriber = seat->subscriber;
    return subscriber && !subscriber_ended(subscriber) ? subscriber : NULL;
}

static struct topic *had(struct subscriber *subscriber, struct bytes name)
{
    for (uint32_t i = 0; i < subscriber_topic_count(subscriber); i++) {
        struct topic *topic = subscriber_topic(subscriber, i);
        if (bytes_equal(atom_bytes(topic_name(topic)), name)) return topic;
    }
    return NULL;
}

static bool is_full(const struct seat *seat)
{
    const uint32_t asking = seat->changes ? seat->changes->asking : 0;
    return subscriber_topic_count(seat->subscriber) + asking >= seat->stream->topics_max;
}

static enum change join(struct seat *seat, struct bytes name, enum how how)
{
    struct topic *topic = app_topic_open(seat->app, name);
    if (!topic) return CHANGE_FULL;
    subscriber_join(seat->subscriber, topic);
    note(seat, name, how, false);
    subscriber_greet(seat->subscriber, topic);
    return CHANGE_DONE;
}

/* What there is to say without looking further; NOTHING: it is to be joined. */
static enum change judge(struct seat *seat, struct bytes name, enum how how)
{
    struct subscriber *subscriber = live(seat);
    if (!subscriber) return CHANGE_CLOSED;
    if (how == GIVEN && !app_topic(seat->app, name, NULL)) return CHANGE_UNKNOWN;
    if (!had(subscriber, name)) return CHANGE_NOTHING;
    if (how == GIVEN) note(seat, name, GIVEN, true);
    return CHANGE_DONE;
}

enum change changes_leave(struct seat *seat, struct bytes name)
{
    struct subscriber *subscriber = live(seat);
    if (!subscriber) return CHANGE_CLOSED;
    struct topic *topic = had(subscriber, name);
    if (!topic) return CHANGE_NOTHING;
    const struct entry *entry = find(seat, name);
    if (!entry || entry->named)
        note(seat, name, LEFT, true);
    else
        forget(seat->changes, (size_t)(entry - seat->changes->entries));
    review_again(seat);
    subscriber_leave(subscriber, topic);
    return CHANGE_DONE;
}

/* ---- ask ---- */

static void grant_free(struct grant *grant)
{
    if (grant->over) *grant->over = true;
    errand_cancel(&grant->errand);
    awaiting_cancel(&grant->awaiting);
    list_remove(&grant->node);
    grant->seat->changes->asking--;
    pattern_match_destroy(&grant->match);
    atom_unref(grant->name);
    xfree(grant);
}

void changes_cancel(struct grant *grant)
{
    grant_free(grant);
}

static void finish(struct grant *grant, enum change how)
{
    change_done_f *done = grant->done;
    void *owner = grant->owner;
    grant_free(grant);
    done(owner, how);
}

static void ask(struct grant *grant);
static void take(struct grant *grant);

static struct topic *open_awaited(void *owner, struct bytes name)
{
    const struct grant *grant = owner;
    return app_topic_open(grant->seat->app, name);
}

static void on_loaded(void *owner, bool loaded)
{
    struct grant *grant = owner;
    if (!loaded)
        finish(grant, CHANGE_AWAY);
    else if (grant->how == GRANTED && grant->asked != grant->seat->generation)
        ask(grant);
    else
        take(grant); /* it may have gone again */
}

/* Joins it once it is loaded. */
static void load(struct grant *grant)
{
    const struct bytes name = atom_bytes(grant->name);
    const struct awaiting_wants wants = {
        .ports = app_ports(grant->seat->app), .names = &name, .count = 1, .cursor = {NULL, 0}};
    if (awaiting_start(&grant->awaiting, &wants, open_awaited, on_loaded, grant))
        finish(grant, join(grant->seat, name, grant->how));
}

static void take(struct grant *grant)
{
    const enum change judged = judge(grant->seat, atom_bytes(grant->name), grant->how);
    if (judged != CHANGE_NOTHING && judged != CHANGE_DONE)
        finish(grant, judged);
    else if (grant->outcome == OUTCOME_NO)
        finish(grant, CHANGE_FORBIDDEN);
    else if (grant->outcome == OUTCOME_UNKNOWN)
        finish(grant, CHANGE_UNKNOWN);
    else if (judged == CHANGE_DONE) /* by somebody else meanwhile */
        finish(grant, CHANGE_DONE);
    else
        load(grant);
}

static void on_answer(void *owner, const struct hook_result *result)
{
    struct grant *grant = owner;
    const bool current = grant->asked == grant->seat->generation;
    errand_over(&grant->errand);
    grant->outcome = result->outcome;
    grant->answered = true;
    if (grant->starting) return;
    if (current)
        take(grant);
    else
        ask(grant);
}

/* Asks the rules of now; done at once if they answer at once. */
static void ask(struct grant *grant)
{
    struct seat *seat = grant->seat;
    pattern_match_destroy(&grant->match);
    const struct plan_topic *topic =
        plan_topic_of(generation_plan(seat->generation), atom_bytes(grant->name), &grant->match);
    if (!topic || !topic->subscribe) {
        finish(grant, CHANGE_FORBIDDEN);
        return;
    }
    const struct hook_call call = {.kind = HOOK_SUBSCRIBE,
                                   .hook = topic->subscribe,
                                   .request = &grant->request,
                                   .seat = seat,
                                   .name = atom_bytes(grant->name),
                                   .pattern = topic->pattern,
                                   .params = &grant->match};
    grant->asked = seat->generation;
    grant->starting = true;
    grant->answered = false;
    errand_start(&grant->errand, seat->generation, &call, on_answer, grant);
    grant->starting = false;
    if (grant->answered) take(grant);
}

static struct grant *grant_new(struct seat *seat, struct bytes name, enum how how, change_done_f *done,
                               void *owner)
{
    struct changes *changes = changes_of(seat);
    struct grant *grant = xcalloc(1, sizeof(*grant));
    grant->seat = seat;
    grant->name = atom_get(name);
    grant->how = how;
    grant->done = done;
    grant->owner = owner;
    list_create(&grant->node);
    list_append(&changes->grants, &grant->node);
    changes->asking++;
    return grant;
}

/* Begins; NULL: it is over already. */
static struct grant *begin(struct grant *grant, void (*step)(struct grant *grant))
{
    bool over = false;
    grant->over = &over;
    step(grant);
    if (over) return NULL;
    grant->over = NULL;
    return grant;
}

/* Is there nothing to do, or too much? Then `done` is called. */
static bool is_over(struct seat *seat, struct bytes name, enum how how, change_done_f *done, void *owner)
{
    enum change judged = judge(seat, name, how);
    if (judged == CHANGE_NOTHING && is_full(seat)) judged = CHANGE_FULL;
    if (judged == CHANGE_NOTHING) return false;
    done(owner, judged);
    return true;
}

struct grant *changes_join(struct seat *seat, struct bytes name, change_done_f *done, void *owner)
{
    if (is_over(seat, name, GIVEN, done, owner)) return NULL;
    struct topic *topic = app_topic_open(seat->app, name);
    if (topic && !topic_is_loaded(topic)) {
        struct grant *grant = grant_new(seat, name, GIVEN, done, owner);
        grant->outcome = OUTCOME_YES;
        return begin(grant, load);
    }
    done(owner, topic ? join(seat, name, GIVEN) : CHANGE_FULL);
    return NULL;
}

struct grant *changes_ask(struct seat *seat, struct bytes name, change_done_f *done, void *owner)
{
    if (is_over(seat, name, GRANTED, done, owner)) return NULL;
    struct grant *grant = grant_new(seat, name, GRANTED, done, owner);
    grant->request = (struct http_request){.method = BYTES("GET"), .kept = true};
    seat_request(seat, &grant->request);
    return begin(grant, ask);
}

void changes_end(struct seat *seat)
{
    struct changes *changes = seat->changes;
    if (!changes) return;
    while (!list_empty(&changes->grants))
        finish(CONTAINER(changes->grants.next, struct grant, node), CHANGE_CLOSED);
    while (changes->count) forget(changes, changes->count - 1);
    xfree(changes->entries);
    xfree(changes);
    seat->changes = NULL;
}

/* ---- for a review ---- */

bool changes_granted(const struct seat *seat, size_t *at, struct bytes *name)
{
    const struct changes *changes = seat->changes;
    while (changes && *at < changes->count) {
        const struct entry *entry = &changes->entries[(*at)++];
        if (entry->how != GRANTED) continue;
        *name = atom_bytes(entry->name);
        return true;
    }
    return false;
}

bool changes_keep(const struct seat *seat, struct bytes name, bool named)
{
    const struct entry *entry = find(seat, name);
    if (!entry || entry->how == GRANTED) return named;
    return entry->how == GIVEN;
}

void changes_settle(struct seat *seat, const struct naming *naming)
{
    struct changes *changes = seat->changes;
    for (size_t i = changes ? changes->count : 0; i-- > 0;) {
        const struct entry *entry = &changes->entries[i];
        const struct bytes name = atom_bytes(entry->name);
        const bool declared = app_topic(seat->app, name, NULL) != NULL;
        if (!declared || (entry->how == GRANTED && !naming_has(naming, name))) forget(changes, i);
    }
}
