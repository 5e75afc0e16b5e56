/* entropy: the port random from the kernel's generator (getrandom(2)), fetched a
 * block at a time: one system call for 64 numbers. */
#pragma once

#include "ports/random.h"

enum { ENTROPY_BLOCK = 64 };

struct entropy {
    struct random random;
    uint64_t _block[ENTROPY_BLOCK];
    int _left;
};

void entropy_create(struct entropy *entropy);
