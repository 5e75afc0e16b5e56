/* Both tables hold subscribers, not entries of their own: a user with one tab
 * costs a cell. The anonymous (no user) are in neither. */
#include "hub/users.h"

#include "hub/hub_state.h"
#include "hub/subscriber_state.h"

static uint64_t user_hash(const void *thing)
{
    return ((const struct subscriber *)thing)->user->hash;
}

static bool user_is(const void *thing, const void *key)
{
    return ((const struct subscriber *)thing)->user == key;
}

struct tab {
    const struct atom *user, *tag;
};

static uint64_t tab_hash(const void *thing)
{
    const struct subscriber *subscriber = thing;
    return lookup_mix(subscriber->user->hash, subscriber->tag->hash);
}

static bool tab_is(const void *thing, const void *key)
{
    const struct subscriber *subscriber = thing;
    const struct tab *tab = key;
    return subscriber->user == tab->user && subscriber->tag == tab->tag;
}

void users_create(struct lookup *users, struct lookup *tags)
{
    lookup_create(users, user_hash);
    lookup_create(tags, tab_hash);
}

static struct subscriber *first_of(const struct hub *hub, const struct atom *user)
{
    return user ? lookup_find(&hub->users, user->hash, user_is, user) : NULL;
}

struct subscriber *users_tab(const struct hub *hub, const struct atom *user, const struct atom *tag)
{
    struct tab tab = {user, tag};
    if (!user || !tag) return NULL;
    return lookup_find(&hub->tags, lookup_mix(user->hash, tag->hash), tab_is, &tab);
}

void users_add(struct subscriber *subscriber)
{
    struct hub *hub = subscriber->hub;
    list_create(&subscriber->tabs);
    if (!subscriber->user) return;
    struct subscriber *first = first_of(hub, subscriber->user);
    if (first)
        list_append(&first->tabs, &subscriber->tabs);
    else
        lookup_add(&hub->users, subscriber);
    hub->counters.users = hub->users.count;
    if (subscriber->tag) lookup_add(&hub->tags, subscriber);
}

void users_free_tag(struct subscriber *subscriber)
{
    if (subscriber->user && subscriber->tag) lookup_remove(&subscriber->hub->tags, subscriber);
}

void users_remove(struct subscriber *subscriber)
{
    struct hub *hub = subscriber->hub;
    if (!subscriber->user) return;
    if (first_of(hub, subscriber->user) == subscriber) {
        struct subscriber *next = CONTAINER(subscriber->tabs.next, struct subscriber, tabs);
        if (next == subscriber)
            lookup_remove(&hub->users, subscriber);
        else
            lookup_replace(&hub->users, subscriber, next);
    }
    hub->counters.users = hub->users.count;
    list_remove(&subscriber->tabs);
}

/* Walks a user's ring, the ended left out. */
static bool each_of(struct subscriber *first,
                    bool (*each)(void *ctx, struct subscriber *subscriber), void *ctx)
{
    struct subscriber *at = first;
    do {
        if (at->state != STATE_ENDED && !each(ctx, at)) return false;
        at = CONTAINER(at->tabs.next, struct subscriber, tabs);
    } while (at != first);
    return true;
}

static bool count(void *ctx, struct subscriber *subscriber)
{
    (void)subscriber;
    ++*(uint32_t *)ctx;
    return true;
}

void hub_subscribers_each(struct hub *hub, struct atom *user, struct atom *tag,
                          bool (*each)(void *ctx, struct subscriber *subscriber), void *ctx)
{
    struct subscriber *found = tag ? users_tab(hub, user, tag) : first_of(hub, user);
    if (!found) return;
    if (tag)
        each(ctx, found);
    else
        each_of(found, each, ctx);
}

void hub_users_each(struct hub *hub, bool (*each)(void *ctx, struct atom *user, uint32_t tabs),
                    void *ctx)
{
    uint32_t at = 0;
    for (struct subscriber *first; (first = lookup_next(&hub->users, &at));) {
        uint32_t tabs = 0;
        each_of(first, count, &tabs);
        if (tabs && !each(ctx, first->user, tabs)) return;
    }
}

uint32_t hub_user_subscribers(struct hub *hub, struct atom *user)
{
    struct subscriber *first = first_of(hub, user);
    uint32_t tabs = 0;
    if (first) each_of(first, count, &tabs);
    return tabs;
}
