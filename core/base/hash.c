/* SipHash-2-4 after "SipHash: a fast short-input PRF" (Aumasson, Bernstein, 2012):
 * two rounds a word, four at the end. Words are little-endian whatever the
 * machine is, so that the published vectors hold everywhere.
 *
 * One process-wide key serves dictionaries and atoms. It is set once, before
 * the first of them is made: an atom keeps its hash, so a later change would
 * lose every name. */
#include "base/hash.h"

#include <string.h>

static struct hash_key seed;

static inline uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline uint64_t load_word(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void mix(struct sip *s)
{
    s->v0 += s->v1, s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0, s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1, s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2, s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void absorb(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    mix(s);
    s->v0 ^= word;
}

uint64_t hash_sip(struct hash_key key, const void *data, size_t size)
{
    struct sip s = {key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d,
                    key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
    const unsigned char *bytes = data;
    size_t whole = size & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8) absorb(&s, load_word(bytes + at));

    uint64_t last = (uint64_t)size << 56;
    for (size_t at = whole; at < size; at++) last |= (uint64_t)bytes[at] << 8 * (at - whole);
    absorb(&s, last);

    s.v2 ^= 0xff;
    for (int round = 0; round < 4; round++) mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void hash_seed(struct hash_key key)
{
    seed = key;
}

uint64_t hash_bytes(const void *data, size_t size)
{
    return hash_sip(seed, data, size);
}
