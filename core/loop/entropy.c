/* A number is wiped as it is given out: what a core dump holds of the block was
 * never used. getrandom of up to 256 bytes cannot be interrupted once the pool is
 * ready (getrandom(2)); more can, hence the loop. */
#include "loop/entropy.h"

#include <errno.h>
#include <sys/random.h>

#include "base/check.h"

static void fill(struct entropy *entropy)
{
    char *at = (char *)entropy->_block;
    size_t left = sizeof(entropy->_block);
    while (left) {
        ssize_t got = getrandom(at, left, 0);
        CHECK(got > 0 || errno == EINTR);
        if (got <= 0) continue;
        at += got;
        left -= (size_t)got;
    }
    entropy->_left = ENTROPY_BLOCK;
}

static uint64_t next(struct random *random)
{
    struct entropy *entropy = CONTAINER(random, struct entropy, random);
    if (!entropy->_left) fill(entropy);
    uint64_t number = entropy->_block[--entropy->_left];
    entropy->_block[entropy->_left] = 0;
    return number;
}

void entropy_create(struct entropy *entropy)
{
    entropy->random.next = next;
    entropy->_left = 0;
}
