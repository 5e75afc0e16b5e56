#include "engine/joint.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "hub/order.h"

enum { HELD_MESSAGES = 100000, HELD_BYTES = 64 << 20 };

bool joint_is_whole(const struct joint *joint)
{
    for (uint32_t i = 0; i < cluster_servers(joint->cluster); i++)
        if (!cluster_epoch(joint->cluster, i).size) return false;
    return true;
}

static struct hash_key key_of(struct bytes secrets, uint64_t which)
{
    const struct hash_key first = {which, 1}, second = {which, 2};
    return (struct hash_key){hash_sip(first, secrets.data, secrets.size),
                             hash_sip(second, secrets.data, secrets.size)};
}

/* All servers' secrets are in each of the keys. `server` is the one that began anew. */
static void make_secrets(struct joint *joint, uint32_t server)
{
    struct buf secrets = BUF_EMPTY;
    for (uint32_t i = 0; i < cluster_servers(joint->cluster); i++) {
        buf_add_bytes(&secrets, cluster_epoch(joint->cluster, i));
        buf_add_bytes(&secrets, cluster_secret(joint->cluster, i));
    }
    const struct bytes all = buf_bytes(&secrets);
    order_epoch(joint->_order, (uint8_t)server, key_of(all, 1).k0, key_of(all, 2), key_of(all, 3));
    buf_destroy(&secrets);
}

static void on_heard(void *owner, uint32_t server, uint64_t place)
{
    struct joint *joint = owner;
    order_heard(joint->_order, (uint8_t)server, place);
}

static void on_epoch(void *owner, uint32_t server)
{
    struct joint *joint = owner;
    order_begin(joint->_order, (uint8_t)server, cluster_start(joint->cluster, server));
    if (joint_is_whole(joint)) make_secrets(joint, server);
}

static void on_away(void *owner, uint32_t server)
{
    (void)owner, (void)server; /* what was published is answered so, each by itself */
}

static void on_here(void *owner, uint32_t server)
{
    struct joint *joint = owner;
    LIST_EACH(node, &joint->_members) {
        struct joint_member *member = CONTAINER(node, struct joint_member, _node);
        member->here(member, server);
    }
}

static const struct trunk_events trunk_events = {on_heard, on_epoch, on_away, on_here};

struct joint *joint_new(const struct cluster_ports *ports, struct later *later, struct order *order,
                        const char *const *urls, size_t count, struct bytes prefix,
                        struct buf *error)
{
    const struct trunk_limits limits = {HELD_MESSAGES, HELD_BYTES};
    struct cluster *cluster = cluster_new(ports, urls, count, prefix, error);
    if (!cluster) return NULL;
    struct joint *joint = xcalloc(1, sizeof(*joint));
    joint->cluster = cluster;
    joint->_order = order;
    list_create(&joint->_members);
    order_share(order, cluster_servers(cluster));
    joint->claims = claims_new(cluster, ports);
    joint->announcements = announcements_new(cluster, ports);
    joint->trunk = trunk_new(cluster, ports, later, &limits, &trunk_events, joint);
    return joint;
}

void joint_free(struct joint *joint)
{
    CHECK(list_empty(&joint->_members));
    trunk_free(joint->trunk);
    announcements_free(joint->announcements);
    claims_free(joint->claims);
    cluster_free(joint->cluster);
    xfree(joint);
}

void joint_catch_up(struct joint *joint)
{
    for (uint32_t i = 0; i < cluster_servers(joint->cluster); i++)
        cluster_hasten_beat(joint->cluster, i);
}

void joint_reaches(const struct joint *joint, struct places *places)
{
    *places = joint->_order->heard;
    for (uint32_t i = 0; i < cluster_servers(joint->cluster); i++) {
        const uint64_t own = trunk_newest(joint->trunk, i);
        if (own > places->at[i]) places->at[i] = own;
    }
}

void joint_add(struct joint *joint, struct joint_member *member)
{
    list_create(&member->_node);
    list_append(&joint->_members, &member->_node);
}

void joint_remove(struct joint_member *member)
{
    list_remove(&member->_node);
}
