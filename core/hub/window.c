/* One timer a window. The windows of a hub are few at a time: they live as long
 * as a rule's `within`, tens of milliseconds. */
#include "hub/window.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "hub/hub_state.h"
#include "hub/topic_state.h"

struct window {
    struct list node;
    uint64_t number; /* as they were opened, from 1 on */
    struct topic *topic;
    struct atom *type, *replaces, *user, *tag, *meta; /* references */
    struct buf data, id;
    uint64_t retry_ms, within_ms, cause; /* of the newest, as data, id and meta */
    struct timer timer;
};

/* What waits in it. */
static struct emission content(const struct window *window)
{
    return (struct emission){.type = window->type,
                             .replaces = window->replaces,
                             .user = window->user,
                             .tag = window->tag,
                             .meta = window->meta,
                             .id = buf_bytes(&window->id),
                             .retry_ms = window->retry_ms,
                             .data = buf_bytes(&window->data),
                             .within_ms = window->within_ms,
                             .cause = window->cause};
}

static uint64_t key_hash(const struct topic *topic, const struct atom *type,
                         const struct atom *replaces)
{
    return lookup_mix(lookup_mix(topic->name->hash, type->hash), replaces->hash);
}

static uint64_t hash(const void *thing)
{
    const struct window *window = thing;
    return key_hash(window->topic, window->type, window->replaces);
}

static bool is(const void *thing, const void *key)
{
    const struct window *a = thing, *b = key;
    return a->topic == b->topic && a->type == b->type && a->replaces == b->replaces;
}

static struct window *find(struct topic *topic, const struct emission *emission)
{
    struct window key = {.topic = topic, .type = emission->type, .replaces = emission->replaces};
    return lookup_find(&topic->hub->windows._by_key,
                       key_hash(topic, emission->type, emission->replaces), is, &key);
}

static void window_free(struct window *window)
{
    struct topic *topic = window->topic;
    lookup_remove(&topic->hub->windows._by_key, window);
    list_remove(&window->node);
    clock_cancel(topic->hub->ports.clock, &window->timer);
    topic->windows--;
    atom_unref(window->type);
    atom_unref(window->replaces);
    atom_unref(window->user);
    atom_unref(window->tag);
    atom_unref(window->meta);
    buf_destroy(&window->data);
    buf_destroy(&window->id);
    xfree(window);
}

static void end(struct window *window)
{
    struct topic *topic = window->topic;
    const struct emission emission = content(window);
    topic_admit(topic, &emission);
    window_free(window);
    topic_release(topic);
}

static void fire(struct timer *timer)
{
    end(CONTAINER(timer, struct window, timer));
}

void windows_create(struct windows *windows)
{
    lookup_create(&windows->_by_key, hash);
    windows->_opened = 0;
    list_create(&windows->_oldest_first);
}

void windows_destroy(struct windows *windows)
{
    LIST_EACH(node, &windows->_oldest_first)
    {
        window_free(CONTAINER(node, struct window, node));
    }
    lookup_destroy(&windows->_by_key);
}

void hub_windows_flush(struct hub *hub)
{
    LIST_EACH(node, &hub->windows._oldest_first)
    {
        end(CONTAINER(node, struct window, node));
    }
}

void hub_windows_each(struct hub *hub,
                      void (*each)(void *ctx, struct atom *topic, const struct emission *emission),
                      void *ctx)
{
    LIST_EACH(node, &hub->windows._oldest_first)
    {
        struct window *window = CONTAINER(node, struct window, node);
        const struct emission emission = content(window);
        each(ctx, window->topic->name, &emission);
    }
}

uint64_t hub_windows_opened(const struct hub *hub)
{
    return hub->windows._opened;
}

uint64_t hub_windows_oldest(const struct hub *hub)
{
    const struct list *all = &hub->windows._oldest_first;
    return list_empty(all) ? UINT64_MAX : CONTAINER(all->next, struct window, node)->number;
}

/* Whether the two differ in who caused them. */
static bool differs(const struct window *window, const struct emission *emission)
{
    return window->user != emission->user || window->tag != emission->tag;
}

static struct window *open(struct topic *topic, const struct emission *emission, uint64_t within_ms)
{
    struct hub *hub = topic->hub;
    if (hub->windows._by_key.count >= hub->limits.windows) return NULL;
    struct window *window = xmalloc(sizeof(*window));
    *window = (struct window){.number = ++hub->windows._opened,
                              .topic = topic,
                              .type = atom_ref(emission->type),
                              .replaces = atom_ref(emission->replaces),
                              .user = atom_ref(emission->user),
                              .tag = atom_ref(emission->tag)};
    list_create(&window->node);
    list_append(&hub->windows._oldest_first, &window->node);
    lookup_add(&hub->windows._by_key, window);
    timer_init(&window->timer, fire);
    clock_after(hub->ports.clock, &window->timer, within_ms);
    topic->windows++;
    return window;
}

/* A newer one stands for what it held. */
static void give_way(struct window *window)
{
    struct topic *topic = window->topic;
    const struct emission emission = content(window);
    topic->hub->counters.replaced++;
    hub_note_merged(topic->hub, topic->name, &emission);
}

static void make_nobodys(struct window *window)
{
    atom_unref(window->user);
    atom_unref(window->tag);
    window->user = window->tag = NULL;
}

static void take_content(struct window *window, const struct emission *emission)
{
    atom_ref(emission->meta);
    atom_unref(window->meta);
    window->meta = emission->meta;
    window->retry_ms = emission->retry_ms;
    window->cause = emission->cause;
    buf_clear(&window->data);
    buf_add_bytes(&window->data, emission->data);
    buf_clear(&window->id);
    buf_add_bytes(&window->id, emission->id);
}

bool window_hold(struct topic *topic, const struct emission *emission, uint64_t within_ms)
{
    struct window *window = find(topic, emission);
    if (window) {
        give_way(window);
        if (differs(window, emission)) make_nobodys(window);
    } else if (!(window = open(topic, emission, within_ms))) {
        return false;
    }
    take_content(window, emission);
    window->within_ms = within_ms;
    return true;
}

void window_replace(struct topic *topic, struct emission *emission)
{
    struct window *window = find(topic, emission);
    if (!window) return;
    give_way(window);
    if (differs(window, emission)) emission->user = emission->tag = NULL;
    window_free(window);
}
