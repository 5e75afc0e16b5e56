/* input: a fuzzer's bytes, taken from the front piece by piece. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const char *at;
    size_t left;
};

static inline struct input input_of(const uint8_t *data, size_t size)
{
    return (struct input){(const char *)data, size};
}

/* A byte; 0 at the end. */
static inline uint8_t input_byte(struct input *input)
{
    if (input->left == 0) return 0;
    input->left--;
    return (uint8_t)*input->at++;
}

/* At most `most` bytes; fewer at the end. */
static inline struct bytes input_run(struct input *input, size_t most)
{
    struct bytes run = {input->at, most < input->left ? most : input->left};
    input->at += run.size;
    input->left -= run.size;
    return run;
}

/* A run whose length the input's next byte says. */
static inline struct bytes input_piece(struct input *input)
{
    return input_run(input, input_byte(input));
}

/* Unlike assert, on whatever NDEBUG says. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)
