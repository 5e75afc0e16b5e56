/* What answers may call the hub, which may ask here or give up waiting here: so an
 * inquiry that is answered leaves its group first, the group is pinned, and
 * admissions are taken out one by one. */
#include "engine/inquiry.h"

#include "base/alloc.h"
#include "base/check.h"
#include "engine/errand.h"
#include "engine/explain.h"
#include "engine/groups.h"
#include "hub/standing.h"
#include "hub/subscriber.h"

enum { ROUNDS_MAX = 16 }; /* that an inquiry waits for the hub to come to rest */

/* One user of an inquiry. */
struct asked {
    struct atom *user; /* borrowed of `users` */
    struct list waiting;
    bool gone; /* forgotten: the answer is nobody's */
};

struct inquiry {
    struct group *group; /* NULL: over, or dropped by a reload */
    struct list node;
    struct errand errand;
    uint64_t asked_ms, ttl_ms, newest;
    struct atom **users; /* references; what the rule is given */
    struct asked *asked;
    uint32_t count;
    struct lookup by_user;
    uint32_t waiting;
};

static uint64_t now_of(const struct audience *audience)
{
    return audience->_ports.clock->now_ms;
}

static struct audience *audience_of(const struct group *group)
{
    return CONTAINER(group->groups, struct audience, _groups);
}

static struct generation *generation_of(const struct audience *audience)
{
    return *audience->_ports.generation;
}

/* The decision that the hub is about to tell of is not a filter's, so it is told whose it is. */
enum verdict inquiry_refuse(const struct admission *admission, enum verdict verdict)
{
    struct audience *audience = admission->_audience;
    if (verdict == VERDICT_UNKNOWN) audience->counters.unknown++;
    explain_blame(audience->_ports.explain, admission->_subscriber, admission->_frame->position);
    return verdict;
}

/* ---- inquiries ---- */

static uint64_t hash_asked(const void *thing)
{
    return ((const struct asked *)thing)->user->hash;
}

static bool is_asked(const void *thing, const void *user)
{
    return ((const struct asked *)thing)->user == user;
}

static struct asked *find_asked(const struct inquiry *inquiry, const struct atom *user)
{
    return lookup_find(&inquiry->by_user, user->hash, is_asked, user);
}

/* Its answer, if it was there now, would count. */
static bool is_current(const struct inquiry *inquiry, uint64_t now_ms)
{
    return now_ms < inquiry->asked_ms + inquiry->ttl_ms || now_ms == inquiry->asked_ms;
}

/* The user's place in an inquiry that is under way; NULL: it is in none. */
static struct asked *under_way(const struct group *group, const struct atom *user,
                               struct inquiry **which)
{
    LIST_EACH(node, &group->inquiries)
    {
        struct inquiry *inquiry = CONTAINER(node, struct inquiry, node);
        struct asked *asked =
            is_current(inquiry, now_of(audience_of(group))) ? find_asked(inquiry, user) : NULL;
        *which = inquiry;
        if (asked) return asked;
    }
    return NULL;
}

static void enter(struct admission *admission, struct inquiry *inquiry, struct asked *asked)
{
    list_remove(&admission->_node);
    list_append(&asked->waiting, &admission->_node);
    admission->_group = NULL;
    admission->_inquiry = inquiry;
    inquiry->waiting++;
    if (inquiry->newest < admission->_frame->position)
        inquiry->newest = admission->_frame->position;
}

void group_wait(struct group *group, struct admission *admission)
{
    struct audience *audience = audience_of(group);
    list_remove(&admission->_node);
    list_append(&group->waiting, &admission->_node);
    admission->_group = group;
    admission->_inquiry = NULL;
    admission->_key = group->key;
    /* Others will want to know: the fan-out is under way, or all were refused for the failure. */
    if (admission->_frame->position > hub_fanned(audience->_ports.hub) || group->failed)
        group->everyone = true;
    if (list_empty(&group->due)) list_append(&audience->_due, &group->due);
    later_post(audience->_ports.later, LATER_LAST, &audience->_pose);
}

bool group_join(struct group *group, struct admission *admission)
{
    struct inquiry *inquiry;
    struct asked *asked = under_way(group, subscriber_user(admission->_subscriber), &inquiry);
    if (!asked) return false;
    admission->_key = group->key;
    enter(admission, inquiry, asked);
    return true;
}

static struct asked *add_user(struct inquiry *inquiry, struct atom *user)
{
    struct asked *asked = find_asked(inquiry, user);
    if (asked) return asked;
    asked = &inquiry->asked[inquiry->count];
    inquiry->users[inquiry->count++] = atom_ref(user);
    *asked = (struct asked){.user = user};
    list_create(&asked->waiting);
    lookup_add(&inquiry->by_user, asked);
    return asked;
}

struct gathering {
    struct group *group;
    struct inquiry *inquiry;
};

static bool gather(void *ctx, struct subscriber *subscriber)
{
    const struct gathering *gathering = ctx;
    struct group *group = gathering->group;
    struct audience *audience = audience_of(group);
    struct atom *user = subscriber_user(subscriber);
    struct inquiry *other;
    if (user && !under_way(group, user, &other) &&
        permits_find(&audience->_permits, group->topic, group->key, user, now_of(audience)) ==
            PERMIT_NONE)
        add_user(gathering->inquiry, user);
    return true;
}

/* Everything that waits in the group enters it, and whoever else is to be asked about. */
static struct inquiry *new_inquiry(struct group *group, uint64_t ttl_ms)
{
    struct hub *hub = audience_of(group)->_ports.hub;
    struct topic *topic = group->everyone ? hub_topic_find(hub, atom_bytes(group->topic)) : NULL;
    uint32_t room = topic ? topic_subscribers(topic) : 0;
    LIST_EACH(node, &group->waiting) room++;
    struct inquiry *inquiry = xcalloc(1, sizeof(*inquiry));
    inquiry->asked_ms = now_of(audience_of(group));
    inquiry->ttl_ms = ttl_ms;
    inquiry->users = xcalloc(room, sizeof(*inquiry->users));
    inquiry->asked = xcalloc(room, sizeof(*inquiry->asked));
    lookup_create(&inquiry->by_user, hash_asked);
    list_create(&inquiry->node);
    LIST_EACH(node, &group->waiting)
    {
        struct admission *admission = CONTAINER(node, struct admission, _node);
        enter(admission, inquiry, add_user(inquiry, subscriber_user(admission->_subscriber)));
    }
    if (topic) standing_each(topic, gather, &(struct gathering){group, inquiry});
    return inquiry;
}

static void inquiry_free(struct inquiry *inquiry)
{
    CHECK(!inquiry->waiting);
    for (uint32_t i = 0; i < inquiry->count; i++) atom_unref(inquiry->users[i]);
    lookup_destroy(&inquiry->by_user);
    xfree(inquiry->users);
    xfree(inquiry->asked);
    xfree(inquiry);
}

/* It leaves its group, which it may have been the last to hold: group_release when done with it. */
static struct group *leave_group(struct inquiry *inquiry)
{
    struct group *group = inquiry->group;
    list_remove(&inquiry->node);
    inquiry->group = NULL;
    return group;
}

/* Nobody waits for it any more. */
static void give_up(struct inquiry *inquiry, bool late)
{
    struct group *group = leave_group(inquiry);
    if (late) {
        group_fail(group, inquiry->newest);
        errand_expire(&inquiry->errand);
    } else {
        errand_cancel(&inquiry->errand);
    }
    inquiry_free(inquiry);
    group_release(group);
}

void inquiry_leave(struct admission *admission, bool late)
{
    struct inquiry *inquiry = admission->_inquiry;
    struct group *group = admission->_group;
    list_remove(&admission->_node);
    admission->_inquiry = NULL;
    admission->_group = NULL;
    if (group)
        group_release(group);
    else if (inquiry && --inquiry->waiting == 0 && inquiry->group)
        give_up(inquiry, late);
}

/* ---- answers ---- */

static void deliver(struct admission *admission, enum verdict verdict)
{
    list_remove(&admission->_node);
    admission->_group = NULL;
    admission->_inquiry = NULL;
    if (verdict != VERDICT_YES) inquiry_refuse(admission, verdict);
    admission->done(admission, verdict);
}

static enum verdict answer_for(const struct hook_result *result, uint32_t index)
{
    if (result->outcome == OUTCOME_UNKNOWN) return VERDICT_UNKNOWN;
    return result->outcome == OUTCOME_YES && result->text.data[index] == '1' ? VERDICT_YES : VERDICT_NO;
}

static void keep_answers(const struct inquiry *inquiry, const struct group *group,
                         const struct hook_result *result)
{
    struct audience *audience = audience_of(group);
    for (uint32_t i = 0; i < inquiry->count; i++) {
        if (inquiry->asked[i].gone) continue;
        permits_put(&audience->_permits, group->topic, group->key, inquiry->users[i],
                    answer_for(result, i) == VERDICT_YES, now_of(audience),
                    inquiry->asked_ms + inquiry->ttl_ms, *audience->_ports.permits_max);
    }
}

static void on_answer(void *owner, const struct hook_result *result)
{
    struct inquiry *inquiry = owner;
    errand_over(&inquiry->errand);
    struct group *group = leave_group(inquiry);
    struct audience *audience = audience_of(group);
    group_pin(group);
    audience->counters.waited_ms += now_of(audience) - inquiry->asked_ms;
    if (result->outcome == OUTCOME_UNKNOWN) {
        group_fail(group, inquiry->newest);
    } else {
        group_recover(group);
        keep_answers(inquiry, group, result);
    }
    for (uint32_t i = 0; i < inquiry->count; i++) {
        struct list *waiting = &inquiry->asked[i].waiting;
        while (!list_empty(waiting)) {
            inquiry->waiting--;
            deliver(CONTAINER(waiting->next, struct admission, _node), answer_for(result, i));
        }
    }
    inquiry_free(inquiry);
    group_unpin(group);
}

/* ---- posing ---- */

static void refuse_all(struct group *group)
{
    group_pin(group);
    while (!list_empty(&group->waiting))
        deliver(CONTAINER(group->waiting.next, struct admission, _node), VERDICT_UNKNOWN);
    group_unpin(group);
}

static void pose(struct group *group)
{
    struct audience *audience = audience_of(group);
    struct generation *generation = generation_of(audience);
    const struct plan_topic *topic =
        plan_topic_of(generation_plan(generation), atom_bytes(group->topic), NULL);
    list_remove(&group->due);
    if (list_empty(&group->waiting)) return; /* they left */
    if (!topic || !topic->audience.ask) {
        refuse_all(group);
        return;
    }
    struct inquiry *inquiry = new_inquiry(group, topic->audience.ttl_ms);
    inquiry->group = group;
    list_append(&group->inquiries, &inquiry->node);
    group->everyone = false;
    audience->counters.questions++;
    audience->counters.users += inquiry->count;
    const struct hook_call call = {.kind = HOOK_AUDIENCE,
                                   .hook = topic->audience.ask,
                                   .key = atom_bytes(group->key),
                                   .users = inquiry->users,
                                   .user_count = inquiry->count};
    errand_start(&inquiry->errand, generation, &call, on_answer, inquiry);
}

/* Not before the hub has come to rest, for then all that this turn asks about is known. */
static void pose_all(struct job *job)
{
    struct audience *audience = CONTAINER(job, struct audience, _pose);
    if (!hub_idle(audience->_ports.hub) && audience->_rounds++ < ROUNDS_MAX) {
        later_post(audience->_ports.later, LATER_LAST, job);
        return;
    }
    audience->_rounds = 0;
    groups_recover_oldest(&audience->_groups);
    struct list due;
    list_create(&due);
    list_move(&due, &audience->_due);
    while (!list_empty(&due)) pose(CONTAINER(due.next, struct group, due));
}

/* ---- forgetting ---- */

static bool is_meant(const struct atom *have, const struct atom *meant)
{
    return !meant || have == meant;
}

static void forget_asked(struct inquiry *inquiry, struct asked *asked)
{
    struct group *group = inquiry->group;
    lookup_remove(&inquiry->by_user, asked);
    asked->gone = true;
    while (!list_empty(&asked->waiting)) {
        inquiry->waiting--;
        group_wait(group, CONTAINER(asked->waiting.next, struct admission, _node));
    }
}

static void forget_inquiries(struct group *group, const struct atom *user)
{
    LIST_EACH(node, &group->inquiries)
    {
        struct inquiry *inquiry = CONTAINER(node, struct inquiry, node);
        for (uint32_t i = 0; i < inquiry->count; i++)
            if (!inquiry->asked[i].gone && is_meant(inquiry->users[i], user))
                forget_asked(inquiry, &inquiry->asked[i]);
        if (!inquiry->waiting) give_up(inquiry, false);
    }
}

static void forget_group(struct group *group, void *user)
{
    group_pin(group);
    forget_inquiries(group, user);
    group_recover(group);
    group_unpin(group);
}

void inquiries_forget(struct audience *audience, const struct atom *topic, const struct atom *user)
{
    groups_each(&audience->_groups, topic, forget_group, (void *)user);
}

/* What waits is left alone: it will be cancelled, by its recheck or by its time. */
static void strand(struct list *waiting)
{
    while (!list_empty(waiting)) {
        struct admission *admission = CONTAINER(waiting->next, struct admission, _node);
        list_remove(&admission->_node);
        admission->_inquiry = NULL;
        admission->_group = NULL;
    }
}

static void drop_group(struct group *group, void *ctx)
{
    (void)ctx;
    group_pin(group);
    strand(&group->waiting);
    while (!list_empty(&group->inquiries)) {
        struct inquiry *inquiry = CONTAINER(group->inquiries.next, struct inquiry, node);
        for (uint32_t i = 0; i < inquiry->count; i++) strand(&inquiry->asked[i].waiting);
        inquiry->waiting = 0;
        give_up(inquiry, false);
    }
    group_recover(group);
    group_unpin(group);
}

void inquiries_drop(struct audience *audience)
{
    groups_each(&audience->_groups, NULL, drop_group, NULL);
}

/* ---- life ---- */

void inquiries_create(struct audience *audience)
{
    groups_create(&audience->_groups, audience->_ports.clock);
    list_create(&audience->_due);
    job_create(&audience->_pose, pose_all);
}

void inquiries_destroy(struct audience *audience)
{
    inquiries_drop(audience);
    later_cancel(&audience->_pose);
    groups_destroy(&audience->_groups);
}
