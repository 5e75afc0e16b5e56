/* The group of what is asked about, and what happens in it, is engine/inquiry.h's. */
#include "engine/audience.h"

#include "base/check.h"
#include "engine/inquiry.h"
#include "engine/keyed.h"
#include "hub/hub.h"
#include "hub/recheck.h"
#include "hub/subscriber.h"
#include "ports/log.h"

static void tell_nobody(struct audience *audience, const struct frame *frame)
{
    if (audience->_told_nobody) return;
    audience->_told_nobody = true;
    LOG(audience->_ports.log, LOG_WARN, "a subscriber without a user is in no topic's audience",
        F_BYTES("topic", atom_bytes(frame->topic)));
}

/* What is known without asking, or PENDING. */
static enum verdict look_up(struct audience *audience, struct admission *admission)
{
    const struct frame *frame = admission->_frame;
    struct atom *user = subscriber_user(admission->_subscriber);
    switch (permits_find(&audience->_permits, frame->topic, admission->_key, user,
                         audience->_ports.clock->now_ms)) {
    case PERMIT_YES:
        audience->counters.kept++;
        return VERDICT_YES;
    case PERMIT_NO:
        audience->counters.kept++;
        return inquiry_refuse(admission, VERDICT_NO);
    default:
        return VERDICT_PENDING;
    }
}

static enum verdict wait_in(struct group *group, struct admission *admission)
{
    if (group_is_hopeless(group, admission->_frame->position)) {
        group_release(group);
        return inquiry_refuse(admission, VERDICT_UNKNOWN);
    }
    if (!group_join(group, admission)) group_wait(group, admission);
    return VERDICT_PENDING;
}

enum verdict audience_ask(struct audience *audience, const struct plan_topic *topic,
                          struct subscriber *subscriber, struct frame *frame,
                          struct admission *admission)
{
    admission->_audience = audience;
    admission->_subscriber = subscriber;
    admission->_frame = frame;
    list_create(&admission->_node);
    if (!subscriber_user(subscriber)) {
        tell_nobody(audience, frame);
        return inquiry_refuse(admission, VERDICT_NO);
    }
    admission->_key = keyed_of(&audience->_keys, audience->_ports.clock,
                               *audience->_ports.generation, topic, frame);
    if (!admission->_key) return inquiry_refuse(admission, VERDICT_UNKNOWN);
    const enum verdict verdict = look_up(audience, admission);
    if (verdict != VERDICT_PENDING) return verdict;
    return wait_in(group_of(&audience->_groups, frame->topic, admission->_key), admission);
}

void audience_cancel(struct admission *admission, bool late)
{
    if (late) inquiry_refuse(admission, VERDICT_UNKNOWN);
    inquiry_leave(admission, late);
}

void audience_keep(struct admission *admission)
{
    admission->_keeps = true;
    atom_ref(admission->_key);
    list_append(&admission->_audience->_kept, &admission->_node);
}

void audience_let_go(struct admission *admission)
{
    if (!admission->_keeps) return;
    admission->_keeps = false;
    list_remove(&admission->_node);
    atom_unref(admission->_key);
}

/* ---- forgetting ---- */

static bool is_meant(const struct atom *have, const struct atom *meant)
{
    return !meant || have == meant;
}

/* A yes after which somebody else is asked, and which is not known any more. */
static void take_back(struct admission *admission)
{
    struct atom *key = atom_ref(admission->_key);
    admission->again(admission);
    audience_let_go(admission);
    group_wait(group_of(&admission->_audience->_groups, admission->_frame->topic, key), admission);
    atom_unref(key);
}

void audience_forget(struct audience *audience, struct atom *topic, struct atom *user)
{
    atom_ref(topic); /* what is dropped may have held the last references of these */
    atom_ref(user);
    permits_forget(&audience->_permits, topic, user);
    inquiries_forget(audience, topic, user);
    LIST_EACH(node, &audience->_kept)
    {
        struct admission *admission = CONTAINER(node, struct admission, _node);
        if (is_meant(admission->_frame->topic, topic) &&
            is_meant(subscriber_user(admission->_subscriber), user))
            take_back(admission);
    }
    hub_recheck_admitted(audience->_ports.hub, topic, user);
    atom_unref(topic);
    atom_unref(user);
}

void audience_swap(struct audience *audience)
{
    permits_forget(&audience->_permits, NULL, NULL);
    keyed_destroy(&audience->_keys);
    inquiries_drop(audience);
    audience->_told_nobody = false;
}

/* ---- life ---- */

void audience_create(struct audience *audience, const struct audience_ports *ports)
{
    *audience = (struct audience){._ports = *ports};
    permits_create(&audience->_permits);
    list_create(&audience->_kept);
    inquiries_create(audience);
}

void audience_destroy(struct audience *audience)
{
    CHECK(list_empty(&audience->_kept));
    audience_swap(audience);
    inquiries_destroy(audience);
    permits_destroy(&audience->_permits);
}

uint32_t audience_permits(const struct audience *audience)
{
    return permits_count(&audience->_permits);
}
