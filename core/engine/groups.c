#include "engine/groups.h"

#include "base/alloc.h"
#include "ports/clock.h"

enum {
    FAILURE_MS = 500,     /* how long what failed is not asked about again */
    FAILING_MS = 60000,   /* a failure is remembered, */
    FAILING_GROUPS = 4096 /* of so many groups */
};

struct wanted {
    const struct atom *topic, *key;
};

static uint64_t hash_group(const void *thing)
{
    const struct group *group = thing;
    return lookup_mix(group->topic->hash, group->key->hash);
}

static bool is_group(const void *thing, const void *key)
{
    const struct group *group = thing;
    const struct wanted *wanted = key;
    return group->topic == wanted->topic && group->key == wanted->key;
}

static struct group *find_group(const struct groups *groups, const struct atom *topic,
                                const struct atom *key)
{
    const struct wanted wanted = {topic, key};
    return lookup_find(&groups->_by_key, lookup_mix(topic->hash, key->hash), is_group, &wanted);
}

static struct group *new_group(struct groups *groups, struct atom *topic, struct atom *key)
{
    struct group *group = xcalloc(1, sizeof(*group));
    group->groups = groups;
    group->topic = atom_ref(topic);
    group->key = atom_ref(key);
    list_create(&group->due);
    list_create(&group->failing);
    list_create(&group->waiting);
    list_create(&group->inquiries);
    lookup_add(&groups->_by_key, group);
    return group;
}

struct group *group_of(struct groups *groups, struct atom *topic, struct atom *key)
{
    struct group *group = find_group(groups, topic, key);
    return group ? group : new_group(groups, topic, key);
}

void group_pin(struct group *group)
{
    group->pins++;
}

void group_unpin(struct group *group)
{
    group->pins--;
    group_release(group);
}

void group_release(struct group *group)
{
    if (!list_empty(&group->waiting) || !list_empty(&group->inquiries)) return;
    if (group->failed || group->pins) return;
    lookup_remove(&group->groups->_by_key, group);
    list_remove(&group->due);
    atom_unref(group->topic);
    atom_unref(group->key);
    xfree(group);
}

void group_recover(struct group *group)
{
    if (!group->failed) return;
    group->failed = false;
    list_remove(&group->failing);
    group->groups->_failing_count--;
}

void groups_recover_oldest(struct groups *groups)
{
    while (!list_empty(&groups->_failing)) {
        struct group *oldest = CONTAINER(groups->_failing.next, struct group, failing);
        const bool old = oldest->failed_ms + FAILING_MS <= groups->_clock->now_ms;
        if (!old && groups->_failing_count <= FAILING_GROUPS) return;
        group_recover(oldest);
        group_release(oldest);
    }
}

void group_fail(struct group *group, uint64_t newest)
{
    struct groups *groups = group->groups;
    group_recover(group);
    group->failed = true;
    group->failed_ms = groups->_clock->now_ms;
    if (group->failed_position < newest) group->failed_position = newest;
    list_append(&groups->_failing, &group->failing);
    groups->_failing_count++;
}

bool group_is_hopeless(const struct group *group, uint64_t position)
{
    return group->failed && position <= group->failed_position &&
           group->groups->_clock->now_ms < group->failed_ms + FAILURE_MS;
}

/* Groups may go on the way, so they are noted first. */
void groups_each(struct groups *groups, const struct atom *topic,
                 void (*each)(struct group *group, void *ctx), void *ctx)
{
    struct group **noted = xcalloc(groups->_by_key.count + 1, sizeof(struct group *));
    uint32_t at = 0, count = 0;
    for (struct group *group; (group = lookup_next(&groups->_by_key, &at));)
        if (!topic || group->topic == topic) noted[count++] = group;
    for (uint32_t i = 0; i < count; i++) each(noted[i], ctx);
    xfree(noted);
}

void groups_create(struct groups *groups, const struct clock *clock)
{
    *groups = (struct groups){._clock = clock};
    lookup_create(&groups->_by_key, hash_group);
    list_create(&groups->_failing);
}

void groups_destroy(struct groups *groups)
{
    CHECK(!groups->_by_key.count);
    lookup_destroy(&groups->_by_key);
}
