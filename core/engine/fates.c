#include "engine/fates.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/explain.h"
#include "engine/seat.h"
#include "hub/standing.h"

const char *fate_name(enum fate fate)
{
    static const char *const names[FATES] = {
        [FATE_DELIVERED] = "delivered", [FATE_REPLAYED] = "replayed", [FATE_WAITING] = "waiting",
        [FATE_PENDING] = "pending",     [FATE_DENIED] = "denied",     [FATE_WITHHELD] = "withheld",
        [FATE_ECHO] = "echo",           [FATE_REPLACED] = "replaced", [FATE_LAGGED] = "lagged",
        [FATE_LATER] = "later",         [FATE_ABSENT] = "absent",     [FATE_UNKNOWN] = "unknown",
    };
    return names[fate];
}

/* ---- what is kept of them ---- */

struct decision {
    struct explain_decision kept;
    uint32_t age; /* rises */
};

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_subscriber(const struct explain_decision *a, const struct explain_decision *b)
{
    return compare((uintptr_t)a->subscriber, (uintptr_t)b->subscriber);
}

static int by_trigger(const struct explain_decision *a, const struct explain_decision *b)
{
    int order = compare(a->position, b->position);
    return order ? order : by_subscriber(a, b);
}

static int sort_resumed(const void *a, const void *b)
{
    const struct decision *left = a, *right = b;
    int order = by_subscriber(&left->kept, &right->kept);
    return order ? order : compare(left->age, right->age);
}

static int sort_spared(const void *a, const void *b)
{
    const struct decision *left = a, *right = b;
    int order = by_trigger(&left->kept, &right->kept);
    return order ? order : compare(left->age, right->age);
}

static void add(struct decision **list, size_t *count, struct decision decision)
{
    if ((*count & (*count - 1)) == 0)
        *list = xrealloc(*list, (*count ? *count * 2 : 1) * sizeof(**list));
    (*list)[(*count)++] = decision;
}

struct sorting {
    struct fates *fates;
    uint64_t oldest;
    uint32_t age;
};

static void sort_in(void *ctx, const struct explain_decision *kept)
{
    struct sorting *sorting = ctx;
    struct fates *fates = sorting->fates;
    const struct decision decision = {*kept, ++sorting->age};
    if (kept->kind == EXPLAIN_RESUMED)
        add(&fates->_resumed, &fates->_resumed_count, decision);
    else if (kept->position >= sorting->oldest)
        add(&fates->_spared, &fates->_spared_count, decision);
}

static void sort(struct decision *list, size_t count, int (*order)(const void *, const void *))
{
    if (count) qsort(list, count, sizeof(*list), order);
}

void fates_create(struct fates *fates, struct hub *hub, const struct explain *explain,
                  uint64_t oldest)
{
    *fates = (struct fates){._hub = hub, ._explain = explain, ._looks_left = FATES_LOOKS};
    struct sorting sorting = {.fates = fates, .oldest = oldest};
    explain_decisions_each(explain, sort_in, &sorting);
    sort(fates->_spared, fates->_spared_count, sort_spared);
    sort(fates->_resumed, fates->_resumed_count, sort_resumed);
}

void fates_destroy(struct fates *fates)
{
    xfree(fates->_spared);
    xfree(fates->_resumed);
}

/* The youngest that is equal to the key, or NULL. */
static const struct decision *
find(const struct decision *list, size_t count, const struct explain_decision *key,
     int (*order)(const struct explain_decision *, const struct explain_decision *))
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(&list[middle].kept, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low && order(&list[low - 1].kept, key) == 0 ? &list[low - 1] : NULL;
}

/* ---- one of them ---- */

static enum fate fate_of_spared(struct fates *fates, const struct explain_decision *spared)
{
    static const enum fate of_reason[SPARED_REASONS] = {
        [SPARED_DENIED] = FATE_DENIED, [SPARED_WITHHELD] = FATE_WITHHELD,
        [SPARED_ECHO] = FATE_ECHO,     [SPARED_REPLACED] = FATE_REPLACED,
        [SPARED_LAGGED] = FATE_LAGGED,
    };
    fates->_audience = spared->audience;
    return of_reason[spared->kind];
}

/* It had the topic before the trigger took its place, and does not wait for it. */
static enum fate fate_of_member(struct fates *fates, const struct explain_decision *key)
{
    const struct decision *spared = find(fates->_spared, fates->_spared_count, key, by_trigger);
    if (spared) return fate_of_spared(fates, &spared->kept);
    return key->position <= explain_horizon(fates->_explain) ? FATE_UNKNOWN : FATE_DELIVERED;
}

/* It came back after the trigger had taken its place. Was it replayed? */
static enum fate fate_of_resumed(struct fates *fates, const struct explain_decision *key)
{
    const struct decision *resumed =
        find(fates->_resumed, fates->_resumed_count, key, by_subscriber);
    if (!resumed) return FATE_UNKNOWN;
    if (resumed->kept.position >= key->position) return FATE_LATER;
    const struct decision *spared = find(fates->_spared, fates->_spared_count, key, by_trigger);
    if (spared && spared->age > resumed->age) return fate_of_spared(fates, &spared->kept);
    return FATE_REPLAYED;
}

static enum fate fate_of(struct fates *fates, const struct subscriber *subscriber,
                         uint64_t position, enum standing standing)
{
    const struct explain_decision key = {.position = position, .subscriber = subscriber};
    switch (standing) {
    case STANDING_ABSENT:
        return FATE_ABSENT;
    case STANDING_LATER:
        return FATE_LATER;
    case STANDING_PENDING:
        return FATE_PENDING;
    case STANDING_COMING:
    case STANDING_QUEUED:
        return FATE_WAITING;
    case STANDING_RESUMED:
        return fate_of_resumed(fates, &key);
    default:
        return fate_of_member(fates, &key);
    }
}

/* ---- all of them ---- */

struct telling {
    struct fates *fates;
    const struct explain_trigger *trigger;
    struct tally *tally;
    uint32_t spared; /* decisions that were met with their subscriber */
    struct shown got[FATES_SHOWN];
    uint32_t got_count;
};

static void show(struct telling *telling, struct subscriber *subscriber, enum fate fate)
{
    struct tally *tally = telling->tally;
    const struct seat *seat = seat_of(subscriber);
    const struct shown shown = {.fate = fate,
                                .audience = telling->fates->_audience,
                                .user = subscriber_user(subscriber),
                                .tag = subscriber_tag(subscriber),
                                .stream = seat->stream->at.name,
                                .number = seat_number(seat)};
    if (fate > FATE_REPLAYED) {
        if (tally->shown_count < FATES_SHOWN) tally->shown[tally->shown_count++] = shown;
    } else if (telling->got_count < FATES_SHOWN) {
        telling->got[telling->got_count++] = shown;
    }
}

static bool tell_one(void *ctx, struct subscriber *subscriber)
{
    struct telling *telling = ctx;
    struct fates *fates = telling->fates;
    struct tally *tally = telling->tally;
    if (!fates->_looks_left) {
        tally->not_looked_at++;
        return true;
    }
    fates->_looks_left--;
    const struct explain_trigger *trigger = telling->trigger;
    fates->_audience = false;
    const enum standing standing = standing_of(subscriber, trigger->topic, trigger->position);
    const enum fate fate = fate_of(fates, subscriber, trigger->position, standing);
    tally->counts[fate]++;
    if (fate >= FATE_DENIED && fate <= FATE_LAGGED) telling->spared++;
    show(telling, subscriber, fate);
    return true;
}

static uint32_t count_spared(const struct fates *fates, uint64_t position)
{
    uint32_t count = 0;
    for (size_t i = 0; i < fates->_spared_count; i++)
        count += fates->_spared[i].kept.position == position;
    return count;
}

void fates_tell(struct fates *fates, const struct explain_trigger *trigger, struct atom *user,
                struct tally *tally)
{
    struct telling telling = {.fates = fates, .trigger = trigger, .tally = tally};
    memset(tally, 0, sizeof(*tally));
    struct topic *topic = hub_topic_find(fates->_hub, atom_bytes(trigger->topic));
    if (user)
        hub_subscribers_each(fates->_hub, user, NULL, tell_one, &telling);
    else if (topic)
        standing_each(topic, tell_one, &telling);
    if (!user && !tally->not_looked_at)
        tally->gone = count_spared(fates, trigger->position) - telling.spared;
    for (uint32_t i = 0; i < telling.got_count; i++)
        tally->shown[tally->shown_count++] = telling.got[i];
}
