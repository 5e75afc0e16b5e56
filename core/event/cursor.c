/* seal = SipHash(seal key, epoch and position); hidden = position xor
 * SipHash(mask key, seal). The seal serves as initialisation vector and as proof
 * at once (the SIV construction, RFC 5297, on 64-bit parts): equal positions give
 * equal cursors, different ones share no pattern, and a made-up cursor verifies
 * with a chance of 2^-64. One spelling only, lower-case hex, so that a cursor is
 * equal to another exactly if its text is. */
#include "event/cursor.h"

#include "base/check.h"

static uint64_t seal_of(const struct cursor_epoch *epoch, uint64_t position)
{
    const uint64_t content[] = {epoch->epoch, position};
    return hash_sip(epoch->_seal, content, sizeof(content));
}

static uint64_t mask_of(const struct cursor_epoch *epoch, uint64_t seal)
{
    return hash_sip(epoch->_mask, &seal, sizeof(seal));
}

static void write_word(char *out, uint64_t word)
{
    for (int i = 15; i >= 0; i--, word >>= 4) out[i] = "0123456789abcdef"[word & 15];
}

static bool read_word(const char *text, uint64_t *word)
{
    *word = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return false;
        *word = *word << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

void cursor_epoch_create(struct cursor_epoch *epoch, uint64_t number, struct hash_key seal,
                         struct hash_key mask)
{
    *epoch = (struct cursor_epoch){._seal = seal, ._mask = mask, .epoch = number};
}

void cursor_write(const struct cursor_epoch *epoch, uint64_t position, char out[CURSOR_SIZE])
{
    CHECK(position <= INT64_MAX);
    uint64_t seal = seal_of(epoch, position);
    write_word(out, seal);
    write_word(out + 16, position ^ mask_of(epoch, seal));
}

int64_t cursor_read(const struct cursor_epoch *epoch, struct bytes cursor)
{
    uint64_t seal, hidden;
    if (cursor.size != CURSOR_SIZE) return -1;
    if (!read_word(cursor.data, &seal) || !read_word(cursor.data + 16, &hidden)) return -1;
    uint64_t position = hidden ^ mask_of(epoch, seal);
    if (position > INT64_MAX || seal_of(epoch, position) != seal) return -1;
    return (int64_t)position;
}
