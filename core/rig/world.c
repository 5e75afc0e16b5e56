#include "rig/world.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/line.h"
#include "event/frame.h"
#include "rig/client.h"
#include "script/loaded.h"

#define ROUNDS_MAX 1000000
#define START_WALL_MS 1700000000000u

/* xorshift64* (Vigna, 2016): good enough for schedules, and the same everywhere. */
static uint64_t next_random(struct random *random)
{
    struct world *world = CONTAINER(random, struct world, random);
    if (world->_options.steady && world->node) return world->_steps++;
    world->_seed ^= world->_seed >> 12;
    world->_seed ^= world->_seed << 25;
    world->_seed ^= world->_seed >> 27;
    return world->_seed * 2685821657736338717u;
}

static void write_log(struct log *log, enum log_level level, const char *message,
                      const struct log_field *fields, size_t count)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct world *world = CONTAINER(log, struct world, log);
    if (level == LOG_ERROR) world->errors++;
    line_write(&world->lines, LINE_PAIRS, world->clock.wall_ms, names[level], message, fields,
               count);
}

/* A rig has no files: what is asked for is named in the answer. */
static void serve_file(struct files *files, const char *directory, struct bytes path,
                       const char *cache_control, struct exchange *exchange)
{
    (void)files;
    struct buf body = BUF_EMPTY;
    buf_printf(&body, "%s %.*s", directory, (int)path.size, path.data);
    const struct http_header header = {BYTES("cache-control"),
                                       bytes_of(cache_control ? cache_control : "no-cache")};
    const struct http_response response = {
        .status = 200, .headers = &header, .header_count = 1, .body = buf_bytes(&body)};
    exchange->ops->respond(exchange, &response);
    buf_destroy(&body);
}

static void note_placed(struct journal *journal, const struct placing *placing,
                        const struct emission *emission)
{
    (void)emission;
    struct world *world = CONTAINER(journal, struct world, journal);
    world->placed =
        xrealloc(world->placed, (world->placed_count + 1) * sizeof(struct frame *));
    world->placed[world->placed_count++] = frame_ref(placing->frame);
}

void world_forget_placed(struct world *world)
{
    for (size_t i = 0; i < world->placed_count; i++) frame_unref(world->placed[i]);
    xfree(world->placed);
    world->placed = NULL;
    world->placed_count = 0;
}

struct world *world_new(const struct world_options *options)
{
    struct world *world = xcalloc(1, sizeof(*world));
    world->_options = *options;
    world->_seed = options->seed * 2 + 1;
    world->clock.wall_ms = options->wall_ms ? options->wall_ms : START_WALL_MS;
    world->clock.now_ms = 1000;
    wheel_create(&world->clock.wheel, world->clock.now_ms);
    later_create(&world->later);
    world->random.next = next_random;
    world->log = (struct log){.level = LOG_INFO, .write = write_log};
    world->files.serve = serve_file;
    world->journal.placed = note_placed;
    list_create(&world->clients);
    list_create(&world->news);
    remote_create(&world->remote, &world->clock, &world->later);
    world->remote.patient = options->steady;
    redises_create(&world->redises, &world->later);
    grants_create(&world->grants, &world->later);
    databases_create(&world->databases, &world->redises.opener, &world->log);
    gate_create(&world->gate, &world->clock, options->link_rate, options->link_rate);
    const struct hash_key seal = {next_random(&world->random), next_random(&world->random)};
    const struct hash_key mask = {next_random(&world->random), next_random(&world->random)};
    cursor_epoch_create(&world->order.epoch, options->seed, seal, mask);
    order_create(&world->order);
    world->ports = (struct engine_ports){.clock = &world->clock,
                                         .later = &world->later,
                                         .random = &world->random,
                                         .log = &world->log,
                                         .transport = &world->remote.transport,
                                         .fetch = &world->remote.fetch,
                                         .gate = &world->gate,
                                         .order = &world->order,
                                         .journal = &world->journal,
                                         .redis = &world->redises.opener,
                                         .databases = &world->databases,
                                         .holdings = options->clustered ? &world->grants.holdings : NULL};
    shadow_ports_create(&world->shadow_ports, &world->ports);
    const struct engine_limits limits = {
        .streams = options->streams,
        .streams_per_user = options->streams_per_user,
        .links = options->links,
        .toll = options->toll,
        .hub = {.forgotten_topics = 1024, .topics = 1000000, .windows = 100000},
        .audience_permits = options->audience_permits,
        .store_entries = 100000,
        .store_bytes = 64 << 20,
        .presence_entries = 100000,
        .explain = options->explain};
    world->node = node_new(&world->ports, &limits, &world->files);
    return world;
}

static struct loaded *load(struct world *world, const struct engine_ports *ports, const char *path,
                           struct buf *errors)
{
    const struct vm_options options = {.ports = ports,
                                       .scripts_dir = world->_options.scripts_dir,
                                       .memory_bytes = world->_options.memory_bytes,
                                       .slice_ms = world->_options.slice_ms,
                                       .deadline_ms = 10000,
                                       .end_ms = 30000,
                                       .tasks_max = 10000,
                                       .background_max = 1000,
                                       .quarantine_after = world->_options.quarantine_after,
                                       .redis = world->_options.redis,
                                       .env = world->_options.env,
                                       .env_ctx = world->_options.env_ctx,
                                       .known = client_known};
    return loaded_new(&options, path, errors);
}

bool world_load(struct world *world, const char *path, struct buf *errors)
{
    CHECK(world->app_count < WORLD_APPS_MAX);
    struct loaded *loaded = load(world, &world->ports, path, errors);
    if (!loaded) return false;
    if (!loaded_add(loaded, world->node, errors)) {
        loaded_free(loaded);
        return false;
    }
    world->loaded[world->app_count++] = loaded;
    return true;
}

static struct loaded *of_app(const struct world *world, const struct atom *app)
{
    for (size_t i = 0; i < world->app_count; i++)
        if (world->loaded[i]->plan->app == app) return world->loaded[i];
    return NULL;
}

/* What becomes of the apps: those that a fresh one replaces, or goes beside, and the rest. */
static size_t plan_changes(const struct world *world, struct loaded *const *fresh, size_t count,
                           bool only, struct loaded_change *changes)
{
    size_t made = 0;
    for (size_t i = 0; i < world->app_count; i++) {
        struct loaded *current = world->loaded[i];
        changes[made] = (struct loaded_change){current, only ? NULL : current};
        for (size_t k = 0; k < count; k++)
            if (fresh[k]->plan->app == current->plan->app) changes[made].fresh = fresh[k];
        made++;
    }
    for (size_t k = 0; k < count; k++)
        if (!of_app(world, fresh[k]->plan->app))
            changes[made++] = (struct loaded_change){NULL, fresh[k]};
    return made;
}

static bool apply(struct world *world, struct loaded *const *fresh, size_t count, bool only,
                  struct buf *errors)
{
    struct loaded_change changes[2 * WORLD_APPS_MAX] = {{NULL, NULL}};
    const size_t made = plan_changes(world, fresh, count, only, changes);
    if (!loaded_apply(changes, made, world->node, 0, errors)) return false;
    world->app_count = 0;
    for (size_t i = 0; i < made; i++)
        if (changes[i].fresh) world->loaded[world->app_count++] = changes[i].fresh;
    CHECK(world->app_count <= WORLD_APPS_MAX);
    return true;
}

bool world_reload(struct world *world, const char *const *paths, size_t count, bool only,
                  struct buf *errors)
{
    struct loaded *fresh[WORLD_APPS_MAX];
    world_unshadow(world);
    CHECK(count <= WORLD_APPS_MAX);
    size_t loaded = 0;
    while (loaded < count && (fresh[loaded] = load(world, &world->ports, paths[loaded], errors))) loaded++;
    if (loaded == count && apply(world, fresh, count, only, errors)) return true;
    while (loaded-- > 0) loaded_free(fresh[loaded]);
    return false;
}

bool world_shadow(struct world *world, const char *path, struct buf *errors)
{
    world_unshadow(world);
    struct loaded *shadow = load(world, &world->shadow_ports.ports, path, errors);
    const struct loaded *live = shadow ? of_app(world, shadow->plan->app) : NULL;
    if (live) {
        world->shadow = shadow;
        mirror_watch(&world->shadow_ports.mirror, true);
        loaded_shadow(shadow, vm_app(live->vm));
    } else if (shadow) {
        buf_printf(errors, "%s: no app \"%s\" runs here\n", path, shadow->plan->app->text);
        loaded_free(shadow);
    }
    return live;
}

void world_unshadow(struct world *world)
{
    if (!world->shadow) return;
    loaded_unshadow(world->shadow);
    world->shadow = NULL;
    mirror_watch(&world->shadow_ports.mirror, false);
}

bool world_round(struct world *world)
{
    wheel_advance(&world->clock.wheel, world->clock.now_ms);
    return later_round(&world->later);
}

bool world_run(struct world *world)
{
    wheel_advance(&world->clock.wheel, world->clock.now_ms);
    for (int i = 0; i < ROUNDS_MAX; i++)
        if (!later_round(&world->later)) return true;
    return false;
}

/* How often the core has asked somebody outside. */
static uint64_t asked(const struct world *world)
{
    return world->remote.made + world->redises.made;
}

bool world_advance(struct world *world, uint64_t *ms)
{
    const uint64_t end = world->clock.now_ms + *ms, made = asked(world);
    bool quiet = world_run(world);
    while (quiet && world->clock.now_ms < end && asked(world) == made) {
        uint64_t next = wheel_next(&world->clock.wheel);
        if (next > end) next = end;
        if (next <= world->clock.now_ms) next = world->clock.now_ms + 1;
        world->clock.wall_ms += next - world->clock.now_ms;
        world->clock.now_ms = next;
        quiet = world_run(world);
    }
    *ms = end - world->clock.now_ms;
    return quiet;
}

static bool is_quiet(const struct world *world)
{
    for (size_t i = 0; i < world->app_count; i++)
        if (!vm_idle(world->loaded[i]->vm)) return false;
    return node_idle(world->node) && list_empty(&world->remote.calls) &&
           list_empty(&world->remote.wires) && list_empty(&world->redises.calls);
}

static void say_what_stayed(const struct world *world, struct buf *errors)
{
    buf_printf(errors, "after the drain there are left: streams %u, links %u, requests %s, wires %s, commands %s\n",
               node_counters(world->node)->streams, node_links(world->node),
               list_empty(&world->remote.calls) ? "none" : "some",
               list_empty(&world->remote.wires) ? "none" : "some",
               list_empty(&world->redises.calls) ? "none" : "some");
    for (size_t i = 0; i < world->app_count; i++) {
        struct vm_counters counters;
        vm_count(world->loaded[i]->vm, &counters);
        buf_printf(errors, "app %zu: tasks %u, background %u\n", i, counters.tasks,
                   counters.background);
    }
}

bool world_free(struct world *world, struct buf *errors)
{
    LIST_EACH(node, &world->clients) client_free(CONTAINER(node, struct client, node));
    world_run(world);
    world_unshadow(world);
    node_drain(world->node, 0);
    bool quiet = world_run(world);
    for (size_t i = 0; i < world->app_count; i++) vm_retire(world->loaded[i]->vm);
    for (int second = 0; quiet && !is_quiet(world) && second < 120; second++) {
        uint64_t ms = 1000;
        quiet = world_advance(world, &ms);
    }
    quiet = quiet && is_quiet(world);
    if (!quiet) {
        say_what_stayed(world, errors);
        return false; /* leaked on purpose: freeing under what still runs would hide it */
    }
    node_free(world->node);
    world_run(world);
    world_forget_placed(world);
    gate_destroy(&world->gate);
    shadow_ports_destroy(&world->shadow_ports);
    remote_destroy(&world->remote);
    databases_destroy(&world->databases);
    CHECK(list_empty(&world->redises.servers));
    const uint32_t timers = world->clock.wheel.count, frames = frame_live(), vms = loaded_live();
    if (timers) buf_printf(errors, "timers still armed: %u\n", timers);
    if (frames) buf_printf(errors, "frames still alive: %u\n", frames);
    if (vms) buf_printf(errors, "VMs still alive: %u\n", vms);
    buf_destroy(&world->lines);
    xfree(world);
    return !timers && !frames && !vms;
}
