#include "engine/listing.h"

#include "base/buf.h"
#include "base/text.h"
#include "engine/farewell.h"
#include "engine/node.h"
#include "engine/seats.h"
#include "upstream/link.h"

struct page {
    const struct listing_query *query;
    struct buf *out;
    struct app *app; /* at hand */
    uint64_t seen;   /* things, those too that are not shown */
    uint32_t shown;
};

/* Shall this one be written? Then begins it. */
static bool begin(struct page *page)
{
    const uint64_t at = page->seen++;
    if (at < page->query->from || page->shown == page->query->limit) return false;
    buf_add_text(page->out, page->shown++ ? ",\n{" : "\n{");
    buf_add_text(page->out, "\"app\":");
    text_json_string(page->out, atom_bytes(app_plan(page->app)->app));
    return true;
}

static bool is_full(const struct page *page)
{
    return page->seen > page->query->from + page->query->limit;
}

static void add_text(struct buf *out, const char *name, struct bytes text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text.data)
        text_json_string(out, text);
    else
        buf_add_text(out, "null");
}

static void add_number(struct buf *out, const char *name, uint64_t number)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

static void add_flag(struct buf *out, const char *name, bool flag)
{
    buf_printf(out, ",\"%s\":%s", name, flag ? "true" : "false");
}

static struct bytes bytes_or_none(const struct atom *atom)
{
    return atom ? atom_bytes(atom) : (struct bytes){NULL, 0};
}

static void list(const struct node *node, const struct listing_query *query, struct buf *out,
                 void (*each)(struct page *page))
{
    struct page page = {.query = query, .out = out};
    buf_add_text(out, "{\"items\":[");
    for (size_t i = 0; i < node_apps(node) && !is_full(&page); i++) {
        page.app = node_app(node, i);
        const struct bytes name = atom_bytes(app_plan(page.app)->app);
        if (!query->app.size || bytes_equal(name, query->app)) each(&page);
    }
    buf_add_text(out, "],\n\"next\":");
    if (is_full(&page))
        buf_printf(out, "%llu}\n", (unsigned long long)(query->from + page.shown));
    else
        buf_add_text(out, "null}\n");
}

/* ---- apps ---- */

static void add_names(struct buf *out, const char *name, const struct plan *plan, bool streams)
{
    bool some = false;
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < plan_endpoints(plan); i++) {
        const struct plan_endpoint *at = plan_endpoint(plan, i);
        if ((plan_stream_named(plan, at->name) != NULL) != streams) continue;
        buf_add_text(out, some ? ",{\"name\":" : "{\"name\":");
        text_json_string(out, atom_bytes(at->name));
        add_text(out, "method", atom_bytes(at->method));
        add_text(out, "path", pattern_text(at->path));
        buf_add_char(out, '}');
        some = true;
    }
    buf_add_char(out, ']');
}

static void list_app(struct page *page)
{
    if (!begin(page)) return;
    const struct hub_counters *hub = hub_counters(app_hub(page->app));
    const struct plan *plan = app_plan(page->app);
    add_number(page->out, "subscribers", hub->subscribers);
    add_number(page->out, "users", hub->users);
    add_number(page->out, "topics", hub->topics);
    add_number(page->out, "triggers", hub->emitted);
    add_number(page->out, "queued", hub->queued.slots);
    add_names(page->out, "streams", plan, true);
    add_names(page->out, "routes", plan, false);
    buf_add_char(page->out, '}');
}

void listing_apps(const struct node *node, const struct listing_query *query, struct buf *out)
{
    list(node, query, out, list_app);
}

/* ---- topics ---- */

static void list_topic(void *ctx, struct topic *topic)
{
    struct page *page = ctx;
    if (is_full(page) || !begin(page)) return;
    add_text(page->out, "topic", atom_bytes(topic_name(topic)));
    add_number(page->out, "subscribers", topic_subscribers(topic));
    add_number(page->out, "history", topic_kept(topic));
    buf_add_char(page->out, '}');
}

static void list_topics(struct page *page)
{
    hub_topics_each(app_hub(page->app), list_topic, page);
}

void listing_topics(const struct node *node, const struct listing_query *query, struct buf *out)
{
    list(node, query, out, list_topics);
}

/* ---- subscribers ---- */

static void add_topics(struct buf *out, const struct subscriber *subscriber)
{
    const uint32_t count = subscriber_topic_count(subscriber);
    add_number(out, "topic_count", count);
    buf_add_text(out, ",\"topics\":[");
    for (uint32_t i = 0; i < count && i < LISTING_TOPICS; i++) {
        if (i) buf_add_char(out, ',');
        text_json_string(out, atom_bytes(topic_name(subscriber_topic(subscriber, i))));
    }
    buf_add_char(out, ']');
}

static bool list_subscriber(void *ctx, struct subscriber *subscriber)
{
    struct page *page = ctx;
    uint32_t since_s;
    const struct atom *stream = seats_stream(subscriber, &since_s);
    if (begin(page)) {
        add_text(page->out, "user", bytes_or_none(subscriber_user(subscriber)));
        add_text(page->out, "tag", bytes_or_none(subscriber_tag(subscriber)));
        add_text(page->out, "stream", atom_bytes(stream));
        add_number(page->out, "queued", subscriber_queued(subscriber));
        add_number(page->out, "since", since_s);
        add_topics(page->out, subscriber);
        buf_add_char(page->out, '}');
    }
    return !is_full(page);
}

static void list_subscribers(struct page *page)
{
    struct hub *hub = app_hub(page->app);
    if (!page->query->user.size) {
        hub_all_each(hub, list_subscriber, page);
        return;
    }
    struct atom *user = atom_find(page->query->user);
    if (user) hub_subscribers_each(hub, user, NULL, list_subscriber, page);
}

void listing_subscribers(const struct node *node, const struct listing_query *query,
                         struct buf *out)
{
    list(node, query, out, list_subscribers);
}

/* ---- links ---- */

static void list_link(void *ctx, const struct plan_upstream *upstream, struct bytes key,
                      struct link *link)
{
    struct page *page = ctx;
    if (is_full(page) || !begin(page)) return;
    add_text(page->out, "upstream", atom_bytes(upstream->name));
    add_text(page->out, "key", key);
    add_text(page->out, "state", link ? bytes_of(link_state_name(link_state(link))) : BYTES("closed"));
    add_number(page->out, "leases", link ? link_leases(link) : 0);
    add_flag(page->out, "held", link && !link_suspended(link));
    buf_add_char(page->out, '}');
}

static void list_links(struct page *page)
{
    app_links_each(page->app, list_link, page);
}

void listing_links(const struct node *node, const struct listing_query *query, struct buf *out)
{
    list(node, query, out, list_links);
}

/* ---- what changes something ---- */

uint32_t listing_disconnect(const struct node *node, struct bytes app, struct bytes user,
                            struct bytes tag)
{
    const struct bytes which = tag.size ? tag : (struct bytes){NULL, 0};
    uint32_t ended = 0;
    for (size_t i = 0; i < node_apps(node); i++) {
        struct app *at = node_app(node, i);
        if (app.size && !bytes_equal(atom_bytes(app_plan(at)->app), app)) continue;
        ended += app_disconnect(at, user, which, &(struct farewell){.final = false});
    }
    return ended;
}
