/* hash: SipHash-2-4 (Aumasson and Bernstein, 2012), keyed, so that no client
 * can choose names that collide and nobody can forge a cursor. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash_sip(struct hash_key key, const void *data, size_t size);

/* The process-wide key of dictionaries and atoms: all zero until set, once, before any use. */
void hash_seed(struct hash_key key);
uint64_t hash_bytes(const void *data, size_t size);
